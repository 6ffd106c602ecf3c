/** What cannot be accepted says why. */
import { describe, expect, it } from "vitest";
import { exampleDraft } from "./examples";
import { exampleAnnotation, exampleClass } from "../protocol/examples";
import { obstacleOf } from "./obstacle";
import type { Candidate } from "./state";

const ground: Candidate = { geometry: exampleAnnotation().geometry, score: 0.9, area_m2: 5, index: 0 };
const line: Candidate = { ...ground, geometry: { type: "LineString", coordinates: [[7, 46], [7.001, 46]] } }; // prettier-ignore
const draft = exampleDraft({ candidates: [ground], problem: "This is too wide for a line." });
const area = { classes: [exampleClass()], activeClass: null };
const tracks = exampleClass({ geometry_type: "line" });
const track = { classes: [tracks], activeClass: tracks.id };

describe("what keeps a draft from being accepted", () => {
  it("is a mask that is no road, in a class of lines", () => {
    expect(obstacleOf({ draft, ...track })).toBe("This is too wide for a line.");
    expect(obstacleOf({ draft, ...area })).toBeNull();
    expect(obstacleOf({ draft: { ...draft, candidates: [line] }, ...track })).toBeNull();
  });

  it("is not a road whose line has not come yet", () => {
    expect(obstacleOf({ draft: { ...draft, problem: null }, ...track })).toBeNull();
    expect(obstacleOf({ draft: { ...draft, phase: "waiting" }, ...track })).toBeNull();
  });

  it("is what the neighbours leave no room for", () => {
    const fit = { geometry: null, neighbours: 0, problem: "Nothing is left beside its neighbours." };
    expect(obstacleOf({ draft: { ...draft, fit }, ...area })).toBe(fit.problem);
    expect(obstacleOf({ draft: null, ...area })).toBeNull();
  });
});
