/** The things of a project as the wire carries them: classes, rasters, jobs, annotations, events. */
import { z } from "zod";

const id = z.uuid();
const time = z.iso.datetime({ offset: true });
const person = z.object({ id, display_name: z.string(), colour: z.string().optional() });
const failure = z.object({ code: z.string(), message: z.string() });

export const ATTRIBUTE_TYPES = ["text", "number", "choice", "boolean"] as const;
const classAttributeSchema = z.object({
  key: z.string(),
  label: z.string(),
  type: z.enum(ATTRIBUTE_TYPES),
  required: z.boolean(),
  choices: z.array(z.string()).optional(),
});
export type ClassAttribute = z.infer<typeof classAttributeSchema>;

export const SIMPLIFICATIONS = ["visvalingam", "douglas_peucker", "none"] as const;
/** How the mask of a suggestion becomes a shape; lengths and areas on the ground, null where the mask decides. */
const outlineRecipeSchema = z.object({
  simplify: z.enum(SIMPLIFICATIONS),
  tolerance_m: z.number().nullable(),
  smooth_m: z.number(),
  fill_holes_m2: z.number(),
  drop_parts_m2: z.number(),
  form: z.enum(["", "right_angles", "circle", "centreline"]),
  group_directions: z.boolean(),
  least_length_m: z.number().nullable(),
  width_m: z.number().nullable(),
  buffered: z.boolean(),
});
export type OutlineRecipe = z.infer<typeof outlineRecipeSchema>;

export const labelClassSchema = z.object({
  id,
  name: z.string(),
  colour: z.string(),
  digit: z.number().nullable(),
  geometry_type: z.enum(["polygon", "line", "point"]),
  recipe: outlineRecipeSchema,
  shared_border_m: z.number().nullable(),
  order: z.number(),
  attributes: z.array(classAttributeSchema),
});
export type LabelClass = z.infer<typeof labelClassSchema>;
export type GeometryType = LabelClass["geometry_type"];

const statsSchema = z.object({
  min: z.number(),
  max: z.number(),
  p2: z.number(),
  p98: z.number(),
  mean: z.number(),
  std: z.number(),
});
const recipeSchema = z.object({
  bands: z.array(z.number()),
  ranges: z.array(z.tuple([z.number(), z.number()])),
  gamma: z.number(),
});

const encodeSchema = z.object({
  planned: z.number(),
  ready: z.number(),
  failed: z.number(),
  skipped: z.number(),
  model: z.string().nullable(),
});
const NOTHING_ENCODED: z.infer<typeof encodeSchema> = { planned: 0, ready: 0, failed: 0, skipped: 0, model: null };

export const rasterSchema = z.object({
  id,
  project: id,
  name: z.string(),
  state: z.enum(["uploading", "inspecting", "preparing", "viewable", "refused"]),
  version: z.number(),
  error: failure.extend({ remedy: z.string().nullish() }).nullable(),
  upload: z.object({ id: z.string(), offset: z.number(), length: z.number() }).nullable(),
  crs: z.object({ name: z.string(), epsg: z.number().nullable() }).nullable(),
  width: z.number().nullable(),
  height: z.number().nullable(),
  bands: z.array(
    z.object({
      index: z.number(),
      dtype: z.string(),
      interpretation: z.string(),
      nodata: z.number().nullable(),
      stats: statsSchema.nullable(),
    }),
  ),
  pixel_size_m: z.tuple([z.number(), z.number()]).nullable(),
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]).nullable(),
  footprint: z.object({ type: z.string(), coordinates: z.unknown() }).nullable(),
  minzoom: z.number().nullable(),
  maxzoom: z.number().nullable(),
  size_bytes: z.number().nullable(),
  acquired_on: z.string().nullable(),
  recipe: recipeSchema.nullable(),
  encode: encodeSchema.nullable().transform((encode) => encode ?? NOTHING_ENCODED),
  created_by: person.nullable(),
  created_at: time,
  tiles: z.string().nullable(),
});
export type Raster = z.infer<typeof rasterSchema>;

export const jobSchema = z.object({
  id,
  kind: z.enum(["prepare", "encode", "export", "models"]),
  project: id.nullable(),
  raster: id.nullable(),
  state: z.enum(["queued", "running", "cancelling", "cancelled", "failed", "done"]),
  total: z.number(),
  done: z.number(),
  failed: z.number(),
  skipped: z.number(),
  started_at: time.nullable(),
  eta_seconds: z.number().nullable(),
  error: failure.nullable(),
  created_by: person.nullable(),
  created_at: time,
});
export type Job = z.infer<typeof jobSchema>;

export const STATUSES = ["draft", "submitted", "accepted", "changes_requested"] as const;
export type AnnotationStatus = (typeof STATUSES)[number];
const statusSchema = z.enum(STATUSES);

const position = z.array(z.number()).min(2);
export const geometrySchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("Point"), coordinates: position }),
  z.object({ type: z.literal("LineString"), coordinates: z.array(position) }),
  z.object({ type: z.literal("MultiLineString"), coordinates: z.array(z.array(position)) }),
  z.object({ type: z.literal("Polygon"), coordinates: z.array(z.array(position)) }),
  z.object({ type: z.literal("MultiPolygon"), coordinates: z.array(z.array(z.array(position))) }),
]);
export type Geometry = z.infer<typeof geometrySchema>;

const attributeValue = z.union([z.string(), z.number(), z.boolean()]);
export type AttributeValue = z.infer<typeof attributeValue>;
const attributesSchema = z.record(z.string(), attributeValue);

const windowPlaceSchema = z.object({ col: z.number(), row: z.number(), size: z.number() });
export const provenanceSchema = z.looseObject({
  kind: z.enum(["suggested", "drawn", "imported"]),
  model: z.string().nullish(),
  score: z.number().nullish(),
  thought_ms: z.number().nullish(),
  edited: z.boolean().nullish(),
  window: windowPlaceSchema.nullish(),
  windows: z.array(windowPlaceSchema).nullish(),
  prompts: z.array(z.object({ lon: z.number(), lat: z.number(), label: z.number() })).nullish(),
});

export const annotationSchema = z.object({
  id,
  project: id,
  raster: id.nullable(),
  label_class: id,
  geometry: geometrySchema,
  attributes: attributesSchema,
  status: statusSchema,
  version: z.number(),
  author: person.nullable(),
  updated_by: person.nullable(),
  created_at: time,
  updated_at: time,
  area_m2: z.number().nullable(),
  length_m: z.number().nullable(),
  provenance: provenanceSchema,
  deleted: z.boolean(),
});
export type Annotation = z.infer<typeof annotationSchema>;

export const annotationPageSchema = z.object({
  annotations: z.array(annotationSchema),
  seq: z.number(),
  next_cursor: z.string().nullable(),
  total: z.number(),
});

export const revisionSchema = z.object({
  version: z.number(),
  at: time,
  by: person.nullable(),
  kind: z.string(),
  geometry: geometrySchema,
  label_class: id,
  attributes: attributesSchema,
  status: statusSchema,
  comment: z.string().nullable(),
});
export type Revision = z.infer<typeof revisionSchema>;

export const eventSchema = z.object({
  seq: z.number(),
  kind: z.string(),
  at: time,
  actor: z.object({ id, display_name: z.string() }).nullable(),
  data: z.record(z.string(), z.unknown()),
});
export type ProjectEvent = z.infer<typeof eventSchema>;
export const eventPageSchema = z.object({ events: z.array(eventSchema), seq: z.number(), more: z.boolean() });

export const windowsSchema = z.object({
  model: z.string().nullable(),
  stride: z.number(),
  size: z.number(),
  windows: z.array(
    z.object({ id: z.string(), col: z.number(), row: z.number(), state: z.string(), polygon: z.array(position) }),
  ),
  totals: z.object({ planned: z.number(), ready: z.number(), failed: z.number(), skipped: z.number() }),
});

const outlineOnMask = z.object({ geometry: geometrySchema, vertices: z.number() });
/** What a recipe makes of a mask; both outlines in pixels, y downward. */
export const outlinePreviewSchema = z.object({
  before: outlineOnMask,
  after: outlineOnMask,
  formed: z.boolean(),
  iou: z.number(),
  hausdorff_m: z.number(),
});
export type OutlinePreview = z.infer<typeof outlinePreviewSchema>;

/** A saved shape drawn again; `decoded` where its mask was not kept and was made anew from its clicks. */
export const outlinedAgainSchema = z.object({
  geometry: geometrySchema,
  vertices: z.number(),
  iou: z.number(),
  hausdorff_m: z.number(),
  source: z.enum(["kept", "decoded"]),
  model: z.string(),
});

export const fitSchema = z.object({ geometry: geometrySchema, area_m2: z.number(), neighbours: z.number() });
export type Fit = z.infer<typeof fitSchema>;
