/** The recipes of kinds: which kind a recipe is, and what each is shown on. */
import { describe, expect, it } from "vitest";
import { exampleRecipe } from "../../protocol/examples";
import { kindOf, kindsOf, presetOf, sampleFor, SAMPLES } from "./recipes";

describe("recipes", () => {
  it("knows the kind of every preset, and nothing of one's own settings", () => {
    for (const type of ["polygon", "line"] as const) {
      for (const kind of kindsOf(type)) expect(kindOf(presetOf(kind).recipe, type)).toBe(kind);
    }
    expect(kindOf(exampleRecipe(), "polygon")).toBe("plain");
    expect(kindOf(exampleRecipe({ tolerance_m: 1.25 }), "polygon")).toBeNull();
  });

  it("offers lines a centreline only, and points nothing", () => {
    expect(kindsOf("line")).toEqual(["road"]);
    expect(presetOf("road").recipe.form).toBe("centreline");
    expect(kindsOf("point")).toEqual([]);
  });

  it("lets only fields share borders and only roads join by themselves", () => {
    const sharing = [...kindsOf("polygon"), ...kindsOf("line")].filter((kind) => presetOf(kind).border !== null);
    expect(sharing).toEqual(["field", "road"]);
  });

  it("shows one's own settings on what has that form", () => {
    expect(sampleFor(exampleRecipe({ form: "circle" }))).toBe("tank");
    expect(sampleFor(exampleRecipe({ form: "right_angles" }))).toBe("building");
    expect(SAMPLES).toContain(sampleFor(exampleRecipe()));
  });
});
