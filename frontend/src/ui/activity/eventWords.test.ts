import { describe, expect, it } from "vitest";
import type { ProjectEvent } from "../../protocol/entities";
import { exampleAnnotation, exampleClass, exampleRaster, exampleUser } from "../../protocol/examples";
import { eventWords, sameDay } from "./eventWords";

const actor = { id: exampleUser().id, display_name: "Mia Keller" };
const classes = [exampleClass()];

function event(kind: string, data: ProjectEvent["data"]): ProjectEvent {
  return { seq: 1, kind, at: "2026-05-10T10:00:00Z", actor, data };
}
const said = (kind: string, data: ProjectEvent["data"]) => eventWords(event(kind, data), classes).words;

describe("an event in words", () => {
  it("names the class of a shape and leads to it", () => {
    const annotation = exampleAnnotation();
    expect(eventWords(event("annotation.created", { annotation }), classes)).toEqual({
      words: "drew a Building shape",
      annotationId: annotation.id,
      alone: false,
    });
  });

  it("tells a clicked shape from a drawn one", () => {
    const annotation = exampleAnnotation({ provenance: { kind: "suggested" } });
    expect(said("annotation.created", { annotation })).toBe("clicked a Building shape");
  });

  it.each([
    ["submitted", "submitted a Building shape"],
    ["accepted", "accepted a Building shape"],
    ["changes_requested", "asked for changes to a Building shape"],
    ["draft", "took back a Building shape"],
  ] as const)("a status of %s is %s", (status, words) => {
    expect(said("annotation.status_changed", { annotation: exampleAnnotation({ status }) })).toBe(words);
  });

  it("does not lead to a deleted shape", () => {
    const annotation = exampleAnnotation({ deleted: true });
    expect(eventWords(event("annotation.deleted", { annotation }), classes).annotationId).toBeNull();
  });

  it("says what became of a raster, as a sentence of its own", () => {
    const words = eventWords(event("raster.changed", { raster: exampleRaster({ state: "refused" }) }), classes);
    expect([words.words, words.alone]).toEqual(["The raster “valley.tif” is refused", true]);
  });

  it("tells leaving from being removed", () => {
    expect(said("member.left", { user: { id: actor.id } })).toBe("left the project");
    expect(said("member.left", { user: { id: "other" } })).toBe("removed a member");
  });

  it("admits what it does not know", () => {
    expect(said("moon.landed", {})).toContain("moon.landed");
    expect(said("annotation.updated", { annotation: { half: true } })).toBe("changed a shape");
  });
});

describe("two times", () => {
  it("are on one day or not", () => {
    expect(sameDay("2026-05-10T10:00:00", "2026-05-10T23:00:00")).toBe(true);
    expect(sameDay("2026-05-10T10:00:00", "2026-05-11T10:00:00")).toBe(false);
  });
});
