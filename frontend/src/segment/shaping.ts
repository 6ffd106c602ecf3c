/** One slider for how many vertices an outline keeps, and one choice of its form, over the recipe of its class. Pure. */
import type { OutlineRecipe } from "../protocol/entities";

/** Pixels of tolerance behind each step; before them every vertex, and what the pixels themselves allow. */
const PIXELS = [3, 6, 12, 24] as const;
export const LEVELS = PIXELS.length + 2;
const AUTOMATIC = 1;
const FORMS: readonly OutlineRecipe["form"][] = ["", "right_angles", "circle"];

/** The step of a recipe on imagery with so many metres a pixel: the nearest one for a tolerance of its own. */
export function levelOf(recipe: OutlineRecipe, pixelM: number): number {
  if (recipe.simplify === "none") return 0;
  const tolerance = recipe.tolerance_m;
  if (tolerance === null) return AUTOMATIC;
  const away = PIXELS.map((pixels) => Math.abs(Math.log(tolerance / (pixels * pixelM))));
  return 2 + away.indexOf(Math.min(...away));
}

export function withLevel(recipe: OutlineRecipe, level: number, pixelM: number): OutlineRecipe {
  const simplify = recipe.simplify === "none" ? "visvalingam" : recipe.simplify;
  const pixels = PIXELS[Math.min(level, LEVELS - 1) - 2];
  if (level <= 0) return { ...recipe, simplify: "none", tolerance_m: null };
  return { ...recipe, simplify, tolerance_m: pixels === undefined ? null : Number((pixels * pixelM).toPrecision(3)) };
}

/** The next form that polygons have; lines have one only. */
export function withNextForm(recipe: OutlineRecipe): OutlineRecipe {
  const at = FORMS.indexOf(recipe.form);
  return { ...recipe, form: FORMS[(at + 1) % FORMS.length] ?? "", buffered: false };
}
