/** Plain examples of what the wire carries, for tests. */
import type { Annotation, Job, LabelClass, OutlineRecipe, Raster, Revision } from "./entities";
import type { User } from "./rest";

const PROJECT = "00000000-0000-4000-8000-000000000001";

export function exampleUser(change: Partial<User> = {}): User {
  return {
    id: "00000000-0000-4000-8000-0000000000a1",
    username: "mia",
    display_name: "Mia Keller",
    is_staff: false,
    colour: "#e8590c",
    ...change,
  };
}

export function exampleClass(change: Partial<LabelClass> = {}): LabelClass {
  return {
    id: "00000000-0000-4000-8000-0000000000c1",
    name: "Building",
    colour: "#ff6b6b",
    digit: 1,
    geometry_type: "polygon",
    recipe: exampleRecipe(),
    shared_border_m: null,
    order: 0,
    attributes: [],
    ...change,
  };
}

export function exampleRecipe(change: Partial<OutlineRecipe> = {}): OutlineRecipe {
  return {
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
    ...change,
  };
}

export function exampleAnnotation(change: Partial<Annotation> = {}): Annotation {
  const author = { id: "00000000-0000-4000-8000-0000000000a2", display_name: "Jonas Weber", colour: "#1c7ed6" };
  return {
    id: "00000000-0000-4000-8000-0000000000f1",
    project: PROJECT,
    raster: null,
    label_class: exampleClass().id,
    geometry: {
      type: "Polygon",
      coordinates: [
        [
          [7, 46],
          [7.001, 46],
          [7.001, 46.001],
          [7, 46],
        ],
      ],
    },
    attributes: {},
    status: "submitted",
    version: 1,
    author,
    updated_by: author,
    created_at: "2026-05-10T10:00:00Z",
    updated_at: "2026-05-10T11:00:00Z",
    area_m2: 182.4,
    length_m: 60,
    provenance: { kind: "drawn" },
    deleted: false,
    ...change,
  };
}

export function exampleRevision(change: Partial<Revision> = {}): Revision {
  const { geometry, label_class, attributes, status, author } = exampleAnnotation();
  return {
    version: 1,
    at: "2026-05-10T10:00:00Z",
    by: author,
    kind: "created",
    geometry,
    label_class,
    attributes,
    status,
    comment: null,
    ...change,
  };
}

export function exampleRaster(change: Partial<Raster> = {}): Raster {
  return {
    id: "00000000-0000-4000-8000-0000000000e1",
    project: PROJECT,
    name: "valley.tif",
    state: "viewable",
    version: 3,
    error: null,
    upload: null,
    crs: { name: "WGS 84 / UTM zone 32N", epsg: 32632 },
    width: 12288,
    height: 9216,
    bands: [{ index: 1, dtype: "uint8", interpretation: "red", nodata: null, stats: null }],
    pixel_size_m: [0.2, 0.2],
    bbox: [7, 46, 7.1, 46.1],
    footprint: null,
    minzoom: 10,
    maxzoom: 20,
    size_bytes: 1_000_000,
    acquired_on: "2026-04-12",
    recipe: null,
    encode: { planned: 100, ready: 40, failed: 0, skipped: 20, model: "m" },
    created_by: null,
    created_at: "2026-05-10T10:00:00Z",
    tiles: null,
    ...change,
  };
}

export function exampleJob(change: Partial<Job> = {}): Job {
  return {
    id: "00000000-0000-4000-8000-0000000000b1",
    kind: "encode",
    project: PROJECT,
    raster: exampleRaster().id,
    state: "running",
    total: 100,
    done: 30,
    failed: 5,
    skipped: 15,
    started_at: "2026-05-10T10:00:00Z",
    eta_seconds: 240,
    error: null,
    created_by: null,
    created_at: "2026-05-10T10:00:00Z",
    ...change,
  };
}
