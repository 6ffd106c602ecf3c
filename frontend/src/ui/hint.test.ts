import { describe, expect, it } from "vitest";
import { exampleDraft } from "../store/examples";
import { EMPTY, type State } from "../store/state";
import { hintOf } from "./hint";
import { exampleAnnotation, exampleClass, exampleRaster, exampleUser } from "../protocol/examples";

const shape = exampleAnnotation();
const candidate = { geometry: { type: "Point" as const, coordinates: [7, 46] }, area_m2: 1 };
const draft = exampleDraft({ raster: exampleRaster().id });

function hint(change: Partial<State>): string {
  return hintOf({
    ...EMPTY,
    loaded: true,
    role: "annotator",
    activeRaster: exampleRaster().id,
    classes: [exampleClass()],
    tool: "click",
    ...change,
  });
}

describe("the status bar's words", () => {
  it("name the class a click will make", () => {
    expect(hint({})).toContain("outline it as Building");
    const field = exampleClass({ id: "c2", name: "Field" });
    expect(hint({ classes: [exampleClass(), field], activeClass: "c2" })).toContain("as Field");
  });

  it("say what is missing before a click can work", () => {
    expect(hint({ activeRaster: null })).toContain("Add a raster");
    expect(hint({ classes: [] })).toContain("no polygon class");
    expect(hint({ tool: "line" })).toContain("no line class");
  });

  it("follow the draft", () => {
    expect(hint({ draft: { ...draft, phase: "waiting" } })).toContain("Looking for");
    expect(hint({ draft: { ...draft, phase: "encoding" } })).toContain("encoded first");
    expect(hint({ draft: { ...draft, phase: "failed", problem: "The model is away." } })).toBe("The model is away.");
    expect(hint({ draft })).toContain("Nothing found");
    const candidates = [0.91, 0.4].map((score, index) => ({ ...candidate, score, index }));
    expect(hint({ draft: { ...draft, candidates, chosen: 1 } })).toMatch(/^Enter accepts.*candidate 2 of 2 \(40 %\)/);
  });

  it("do not promise that Enter accepts what cannot be accepted", () => {
    const track = exampleClass({ geometry_type: "line" });
    const candidates = [{ ...candidate, score: 0.9, index: 0 }];
    const tooWide = { ...draft, candidates, problem: "This is too wide for a line." };
    expect(hint({ classes: [track], activeClass: track.id, draft: tooWide })).toMatch(
      /^Click adds.*Tab: another candidate/,
    );
    expect(hint({ classes: [track], activeClass: track.id, draft: { ...tooWide, problem: null } })).toMatch(
      /^Enter accepts/,
    );
    expect(hint({ draft: tooWide })).toMatch(/^Enter accepts/);
  });

  it("tell when an object goes on, and what it was joined from", () => {
    const candidates = [{ ...candidate, score: 0.9, index: 0 }];
    const fine = { col: 0, row: 0, size: 1024, outline: [] };
    const coarse = { ...fine, size: 4096 };
    expect(hint({ draft: { ...draft, candidates, growing: true, windows: [fine] } })).toContain(
      "more follows by itself",
    );
    expect(hint({ draft: { ...draft, candidates, windows: [fine] } })).toMatch(/^Enter accepts/);
    expect(hint({ draft: { ...draft, candidates, windows: [fine, fine, fine] } })).toMatch(
      /^Joined from 3 windows · Enter/,
    );
    expect(hint({ draft: { ...draft, candidates, windows: [coarse] } })).toMatch(/^Seen at 1 : 4 · Enter/);
  });

  it("tell a selected shape that may be moved from one that may not", () => {
    const seen = (status: "draft" | "accepted") => ({
      tool: "select" as const,
      selected: shape.id,
      confirmed: new Map([[shape.id, { ...shape, status }]]),
      me: exampleUser(),
    });
    expect(hint(seen("draft"))).toContain("Drag to move");
    expect(hint(seen("accepted"))).toContain("Only a reviewer");
  });

  it("give the keys of review, and those of editing while a shape is fixed", () => {
    expect(hint({ review: true, tool: "select" })).toContain("A accepts");
    expect(hint({ review: true, tool: "edit", selected: shape.id })).toContain("Drag a corner");
  });
});
