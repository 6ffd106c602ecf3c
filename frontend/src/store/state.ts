/** The one state of the open project, as a readonly value. */
import type { Geometry } from "../geo/geometry";
import type { Bbox, LonLat } from "../geo/lonlat";
import type {
  Annotation,
  AnnotationStatus,
  AttributeValue,
  Job,
  LabelClass,
  OutlineRecipe,
  Raster,
} from "../protocol/entities";
import type { Member, Role } from "../protocol/rest";
import type { Presence, PromptPoint } from "../protocol/socket";

export type ToolName = "select" | "click" | "box" | "polygon" | "line" | "edit" | "measure";
export type Connection = "connecting" | "open" | "lost" | "refused";

export interface Candidate {
  readonly geometry: Geometry;
  readonly score: number;
  readonly area_m2: number;
  readonly index: number;
  /** Of the mask's own outline; only of a candidate that is drawn with all its detail. */
  readonly rawVertices?: number;
  /** Of a line, in metres. */
  readonly width?: number;
}

/** How the draft would be stored in a class that shares borders or joins lines, or why it cannot be. */
export interface DraftFit {
  readonly geometry: Geometry | null;
  readonly neighbours: number;
  readonly problem: string | null;
}

export interface UsedWindow {
  readonly col: number;
  readonly row: number;
  readonly size: number;
  readonly outline: readonly LonLat[];
}

/** What the user is shaping with the model; not saved. */
export interface Draft {
  readonly id: string;
  readonly raster: string;
  readonly points: readonly PromptPoint[];
  readonly box: Bbox | null;
  readonly promptSeq: number;
  readonly phase: "waiting" | "encoding" | "shown" | "failed";
  readonly readyAt: number | null;
  readonly candidates: readonly Candidate[];
  readonly chosen: number;
  /** The windows that the chosen outline is joined from, the one of the first click first. */
  readonly windows: readonly UsedWindow[];
  /** More of the object is on its way: windows beside these are being encoded. */
  readonly growing: boolean;
  /** `instead_of`: the project's model, which has not encoded this place yet. */
  readonly model: { readonly name: string; readonly hash: string; readonly instead_of?: string | undefined } | null;
  readonly recipe: string;
  readonly startedAt: number;
  readonly problem: string | null;
  /** Tried out in place of the class's own. */
  readonly shaping: OutlineRecipe | null;
  readonly fit: DraftFit | null;
}

export interface Preview {
  readonly promptSeq: number;
  readonly geometry: Geometry;
}

/** A polygon or line being drawn by hand, or a way being measured; `done` shows a measure that is ended. */
export interface Sketch {
  readonly kind: "polygon" | "line" | "measure";
  readonly points: readonly LonLat[];
  readonly pointer: LonLat | null;
  readonly startedAt: number;
  readonly done?: "open" | "closed";
}

interface EditFields {
  readonly geometry?: Geometry;
  readonly label_class?: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** A change that is on its way to the server; `id` is its edit id, so that sending it twice is harmless. */
export type Op = {
  readonly id: string;
  readonly annotation: string;
  /** The version the change was made on; 0 for a new annotation. */
  readonly version: number;
} & (
  | { readonly kind: "create"; readonly value: Annotation }
  | {
      readonly kind: "edit";
      readonly fields: EditFields;
      /** The same fields as they were, to tell whose change is whose when two meet. */
      readonly before: EditFields;
    }
  | { readonly kind: "delete" }
  | { readonly kind: "restore" }
  | {
      readonly kind: "status";
      readonly status: AnnotationStatus;
      readonly before: AnnotationStatus;
      readonly comment: string;
    }
);

export interface Conflict {
  readonly id: string;
  readonly op: Op;
  readonly mine: Annotation;
  readonly theirs: Annotation;
}

export interface EncodeWindow {
  readonly col: number;
  readonly row: number;
  readonly size: number;
  readonly state: string;
  readonly outline: readonly LonLat[];
}

export interface LayerSetting {
  readonly id: string;
  readonly visible: boolean;
  readonly opacity: number;
}

export interface MapFacts {
  readonly cursor: LonLat | null;
  readonly zoom: number;
  readonly metresPerPixel: number;
  readonly extent: Bbox;
}

/** Something for the map to do once: zoom to a box. `at` rises, so that the same box can be asked for again. */
export interface ZoomRequest {
  readonly bbox: Bbox;
  readonly at: number;
}

/** What the panels have words for. */
export type NoticeText = "behind" | "changedSince" | "crossesItself";
/** Something to be told once. */
export type Notice = { readonly at: number } & ({ readonly message: string } | { readonly text: NoticeText });

/** One step that undo takes back: what brings the state before, and what brings it again. */
export interface Step {
  readonly annotation: string;
  readonly undo: StepChange;
  readonly redo: StepChange;
}
type StepChange =
  { readonly kind: "delete" } | { readonly kind: "restore" } | { readonly kind: "edit"; readonly fields: EditFields };

export interface State {
  readonly projectId: string | null;
  readonly loaded: boolean;
  readonly me: { readonly id: string; readonly display_name: string; readonly colour: string } | null;
  readonly session: string;
  readonly role: Role;
  readonly seq: number;
  readonly classes: readonly LabelClass[];
  readonly rasters: readonly Raster[];
  readonly jobs: readonly Job[];
  readonly members: readonly Member[];
  /** What the server has acknowledged. */
  readonly confirmed: ReadonlyMap<string, Annotation>;
  /** What the user sees: the confirmed ones with the changes on their way. Deleted ones are left out. */
  readonly annotations: ReadonlyMap<string, Annotation>;
  readonly outbox: readonly Op[];
  readonly saving: boolean;
  readonly refused: number;
  readonly presence: readonly Presence[];
  readonly connection: Connection;
  readonly selected: string | null;
  readonly activeClass: string | null;
  readonly activeRaster: string | null;
  readonly tool: ToolName;
  readonly review: boolean;
  readonly layers: readonly LayerSetting[];
  readonly windows: { readonly raster: string; readonly list: readonly EncodeWindow[] } | null;
  readonly draft: Draft | null;
  readonly preview: Preview | null;
  /** The selected shape as another recipe would draw it. */
  readonly outlined: Geometry | null;
  readonly sketch: Sketch | null;
  readonly editing: { readonly id: string; readonly geometry: Geometry } | null;
  readonly conflict: Conflict | null;
  readonly undo: readonly Step[];
  readonly redo: readonly Step[];
  readonly facts: MapFacts | null;
  readonly zoom: ZoomRequest | null;
  readonly notice: Notice | null;
}

export const EMPTY: State = {
  projectId: null,
  loaded: false,
  me: null,
  session: "",
  role: "viewer",
  seq: 0,
  classes: [],
  rasters: [],
  jobs: [],
  members: [],
  confirmed: new Map(),
  annotations: new Map(),
  outbox: [],
  saving: false,
  refused: 0,
  presence: [],
  connection: "connecting",
  selected: null,
  activeClass: null,
  activeRaster: null,
  tool: "select",
  review: false,
  layers: [],
  windows: null,
  draft: null,
  preview: null,
  outlined: null,
  sketch: null,
  editing: null,
  conflict: null,
  undo: [],
  redo: [],
  facts: null,
  zoom: null,
  notice: null,
};
