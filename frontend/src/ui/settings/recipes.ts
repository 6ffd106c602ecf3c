/** Recipes of vectorisation for the kinds of things that people map. */
import type { GeometryType, OutlineRecipe } from "../../protocol/entities";

export const PLAIN: OutlineRecipe = {
  simplify: "visvalingam",
  tolerance_m: null,
  smooth_m: 0,
  fill_holes_m2: 0,
  drop_parts_m2: 0,
  form: "",
  group_directions: false,
  least_length_m: null,
  width_m: null,
  buffered: false,
};

export type Kind = "plain" | "building" | "field" | "water" | "forest" | "tank" | "road";
export const SAMPLES = ["building", "field", "water", "forest", "tank", "road"] as const;
export type Sample = (typeof SAMPLES)[number];

interface Preset {
  readonly recipe: OutlineRecipe;
  /** The mask the recipe is shown on. */
  readonly sample: Sample;
  /** Metres up to which gaps between neighbours close, or ends join lines; null where shapes stand apart. */
  readonly border: number | null;
}

const PRESETS: Readonly<Record<Kind, Preset>> = {
  plain: { recipe: PLAIN, sample: "field", border: null },
  building: {
    recipe: { ...PLAIN, form: "right_angles", group_directions: true, fill_holes_m2: 2, drop_parts_m2: 4 },
    sample: "building",
    border: null,
  },
  field: {
    recipe: { ...PLAIN, tolerance_m: 4, fill_holes_m2: 100, drop_parts_m2: 100 },
    sample: "field",
    border: 3,
  },
  water: {
    recipe: { ...PLAIN, smooth_m: 4, fill_holes_m2: 20, drop_parts_m2: 20 },
    sample: "water",
    border: null,
  },
  forest: {
    recipe: { ...PLAIN, smooth_m: 3, fill_holes_m2: 30, drop_parts_m2: 10 },
    sample: "forest",
    border: null,
  },
  tank: { recipe: { ...PLAIN, form: "circle" }, sample: "tank", border: null },
  road: { recipe: { ...PLAIN, form: "centreline" }, sample: "road", border: 5 },
};

const POLYGON_KINDS: readonly Kind[] = ["plain", "building", "field", "water", "forest", "tank"];

/** The kinds whose things have such shapes. */
export function kindsOf(geometryType: GeometryType): readonly Kind[] {
  if (geometryType === "point") return [];
  return geometryType === "line" ? ["road"] : POLYGON_KINDS;
}

export function presetOf(kind: Kind): Preset {
  return PRESETS[kind];
}

/** The kind whose recipe this is, whatever the order of its fields; null for one's own. */
export function kindOf(recipe: OutlineRecipe, geometryType: GeometryType): Kind | null {
  return kindsOf(geometryType).find((kind) => sameRecipe(PRESETS[kind].recipe, recipe)) ?? null;
}

function sameRecipe(one: OutlineRecipe, other: OutlineRecipe): boolean {
  return (Object.keys(PLAIN) as (keyof OutlineRecipe)[]).every((key) => one[key] === other[key]);
}

/** The mask to show a recipe on that is no kind's own. */
export function sampleFor(recipe: OutlineRecipe): Sample {
  if (recipe.form === "right_angles") return "building";
  if (recipe.form === "circle") return "tank";
  return recipe.form === "centreline" ? "road" : "field";
}
