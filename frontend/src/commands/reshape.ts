/** The draft's own recipe by keys and slider: fewer or more vertices, another form. */
import type { OutlineRecipe } from "../protocol/entities";
import { levelOf, LEVELS, withLevel, withNextForm } from "../segment/shaping";
import { draftClass } from "../store/classFor";
import type { State } from "../store/state";
import type { Context } from "./context";

interface Shaping {
  readonly recipe: OutlineRecipe;
  readonly level: number;
  readonly pixelM: number;
  /** Of polygons the form can be chosen. */
  readonly forms: boolean;
}

/** What the draft is drawn by; null where there is none to be drawn. */
export function shapingOf(state: Pick<State, "draft" | "classes" | "activeClass" | "rasters">): Shaping | null {
  const { draft, rasters } = state;
  const labelClass = draftClass(state);
  if (draft?.phase !== "shown" || labelClass === null) return null;
  const size = rasters.find((raster) => raster.id === draft.raster)?.pixel_size_m;
  const pixelM = size == null ? 1 : Math.min(...size);
  const recipe = draft.shaping ?? labelClass.recipe;
  return { recipe, pixelM, level: levelOf(recipe, pixelM), forms: labelClass.geometry_type === "polygon" };
}

export function setLevel(context: Context, level: number): boolean {
  const now = shapingOf(context.store.get());
  if (now === null || level < 0 || level >= LEVELS || level === now.level) return now !== null;
  context.conversation.reshape(withLevel(now.recipe, level, now.pixelM));
  return true;
}

export function stepLevel(context: Context, by: 1 | -1): boolean {
  const now = shapingOf(context.store.get());
  return now !== null && setLevel(context, now.level + by);
}

export function setForm(context: Context, form: OutlineRecipe["form"]): void {
  const now = shapingOf(context.store.get());
  if (now?.forms === true) context.conversation.reshape({ ...now.recipe, form, buffered: false });
}

export function nextForm(context: Context): boolean {
  const now = shapingOf(context.store.get());
  if (now?.forms !== true) return false;
  context.conversation.reshape(withNextForm(now.recipe));
  return true;
}
