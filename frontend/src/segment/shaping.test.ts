/** The draft's slider and its form, over the recipe of its class. */
import { describe, expect, it } from "vitest";
import { exampleRecipe } from "../protocol/examples";
import { levelOf, LEVELS, withLevel, withNextForm } from "./shaping";

const PIXEL = 0.3;

describe("shaping", () => {
  it("gives every step a recipe of its own, and finds the step again", () => {
    const levels = Array.from({ length: LEVELS }, (_, level) => level);
    const recipes = levels.map((level) => withLevel(exampleRecipe({ smooth_m: 2 }), level, PIXEL));
    expect(recipes.map((recipe) => levelOf(recipe, PIXEL))).toEqual(levels);
    expect(recipes.map((recipe) => recipe.tolerance_m)).toEqual([null, null, 0.9, 1.8, 3.6, 7.2]);
    expect(recipes.map((recipe) => recipe.simplify)[0]).toBe("none");
    expect(recipes.every((recipe) => recipe.smooth_m === 2)).toBe(true);
  });

  it("takes the nearest step for a tolerance of the class's own", () => {
    expect(levelOf(exampleRecipe({ tolerance_m: 2 }), PIXEL)).toBe(3);
    expect(levelOf(exampleRecipe({ tolerance_m: 500 }), PIXEL)).toBe(LEVELS - 1);
  });

  it("goes round the forms", () => {
    const forms = [exampleRecipe()];
    for (let i = 0; i < 3; i += 1) forms.push(withNextForm(forms.at(-1) ?? exampleRecipe()));
    expect(forms.map((recipe) => recipe.form)).toEqual(["", "right_angles", "circle", ""]);
  });
});
