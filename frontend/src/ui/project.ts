/** The open project as panels see it: what they read from the store, what they ask of commands. */
import { useSyncExternalStore } from "react";
import type { Annotation, Job, LabelClass, Raster } from "../protocol/entities";
import type { AttributeValue } from "../protocol/entities";
import type { AnnotationStatus } from "../protocol/entities";
import type { Member, Role, User } from "../protocol/rest";

export type ToolName = "select" | "click" | "box" | "polygon" | "line" | "edit";

export interface Layer {
  readonly raster: Raster;
  readonly visible: boolean;
  readonly opacity: number;
}
export interface Presence {
  readonly session: string;
  readonly user: Pick<User, "id" | "display_name" | "colour">;
  readonly raster: string | null;
  readonly editing: string | null;
}
export type Connection = "connecting" | "open" | "lost" | "refused";
export interface SaveState {
  readonly waiting: number;
  readonly failed: number;
}
export interface Conflict {
  readonly id: string;
  readonly mine: Annotation;
  readonly theirs: Annotation;
}
export interface MapFacts {
  readonly cursor: readonly [number, number] | null;
  readonly zoom: number;
  readonly metresPerPixel: number;
  readonly extent: readonly [number, number, number, number];
}

export interface Actions {
  openProject(id: string): void;
  closeProject(): void;
  setReview(on: boolean): void;
  openRaster(id: string): void;
  chooseClass(id: string): void;
  chooseTool(name: ToolName): void;
  undo(): void;
  redo(): void;
  select(id: string | null): void;
  zoomToAnnotation(id: string): void;
  zoomToRaster(id: string): void;
  setLayerVisible(id: string, visible: boolean): void;
  setLayerOpacity(id: string, opacity: number): void;
  moveLayer(id: string, by: 1 | -1): void;
  setClass(id: string, labelClass: string): void;
  setAttributes(id: string, attributes: Readonly<Record<string, AttributeValue>>): void;
  setStatus(id: string, status: AnnotationStatus, comment?: string): void;
  deleteAnnotation(id: string): void;
  resolveConflict(id: string, keep: "mine" | "theirs"): void;
  retrySaving(): void;
}

// ---- stand-in until the store room is there ----
import { api } from "../net/api";

interface State {
  id: string | null;
  loaded: boolean;
  role: Role;
  seq: number;
  classes: readonly LabelClass[];
  rasters: readonly Raster[];
  jobs: readonly Job[];
  members: readonly Member[];
  annotations: ReadonlyMap<string, Annotation>;
  presence: readonly Presence[];
  connection: Connection;
  save: SaveState;
  selected: string | null;
  activeClass: string | null;
  activeRaster: string | null;
  tool: ToolName;
  layers: readonly { id: string; visible: boolean; opacity: number }[];
  conflict: Conflict | null;
  facts: MapFacts | null;
}
const empty: State = {
  id: null,
  loaded: false,
  role: "viewer",
  seq: 0,
  classes: [],
  rasters: [],
  jobs: [],
  members: [],
  annotations: new Map(),
  presence: [],
  connection: "connecting",
  save: { waiting: 0, failed: 0 },
  selected: null,
  activeClass: null,
  activeRaster: null,
  tool: "select",
  layers: [],
  conflict: null,
  facts: { cursor: [7.123456, 46.98765], zoom: 17.4, metresPerPixel: 0.42, extent: [7, 46, 7.1, 47] },
};
let state: State = empty;
const listeners = new Set<() => void>();
export function setState(change: Partial<State>): void {
  state = { ...state, ...change };
  for (const listener of listeners) listener();
}
Object.assign(window, { standIn: setState, standInState: () => state });
function useSlice<T>(pick: (state: State) => T): T {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => pick(state),
  );
}
export const useRole = () => useSlice((s) => s.role);
export const useClasses = () => useSlice((s) => s.classes);
export const useRasters = () => useSlice((s) => s.rasters);
export const useJobs = () => useSlice((s) => s.jobs);
export const useMembers = () => useSlice((s) => s.members);
export const useSeq = () => useSlice((s) => s.seq);
export const useLoaded = () => useSlice((s) => s.loaded);
export const useAnnotations = () => useSlice((s) => s.annotations);
export const usePresence = () => useSlice((s) => s.presence);
export const useConnection = () => useSlice((s) => s.connection);
export const useSaveState = () => useSlice((s) => s.save);
export const useSelected = () =>
  useSlice((s) => (s.selected === null ? null : (s.annotations.get(s.selected) ?? null)));
export const useActiveClassId = () => useSlice((s) => s.activeClass);
export const useActiveRaster = () => useSlice((s) => s.rasters.find((r) => r.id === s.activeRaster) ?? null);
export const useTool = () => useSlice((s) => s.tool);
const always = () => true;
export const useToolAvailable = (): ((name: ToolName) => boolean) => always;
const none = { canUndo: false, canRedo: false };
export const useHistory = () => none;
export const useHint = () => "Click an object to outline it · Enter accepts · Esc clears";
export const useMapFacts = () => useSlice((s) => s.facts);
export const useMapExtent = () => useSlice((s) => s.facts?.extent ?? null);
export const useConflict = () => useSlice((s) => s.conflict);
export const useCanWork = () => useSlice((s) => s.role === "owner");
let layerCache: { s: State; out: readonly Layer[] } | null = null;
export const useLayers = () =>
  useSlice((s) => {
    if (layerCache?.s !== s) {
      layerCache = {
        s,
        out: s.rasters.filter((r) => r.state === "viewable").map((raster) => ({ raster, visible: true, opacity: 1 })),
      };
    }
    return layerCache.out;
  });
const actions: Actions = {
  openProject: (id) => {
    state = { ...empty, id };
    void Promise.all([
      api.projects.get(id),
      api.classes.list(id),
      api.rasters.list(id),
      api.projects.jobs(id),
      api.members.list(id),
      api.annotations.list(id, {}),
    ]).then(([project, classes, rasters, jobs, members, page]) =>
      setState({
        role: project.role,
        seq: project.event_seq,
        classes,
        rasters,
        jobs,
        members,
        annotations: new Map(page.annotations.map((one) => [one.id, one])),
        loaded: true,
        connection: "open",
        activeRaster: rasters.find((r) => r.state === "viewable")?.id ?? null,
        activeClass: classes[0]?.id ?? null,
      }),
    );
  },
  closeProject: () => setState(empty),
  setReview: () => undefined,
  openRaster: (id) => setState({ activeRaster: id }),
  chooseClass: (id) => setState({ activeClass: id }),
  chooseTool: (tool) => setState({ tool }),
  undo: () => undefined,
  redo: () => undefined,
  select: (selected) => setState({ selected }),
  zoomToAnnotation: () => undefined,
  zoomToRaster: () => undefined,
  setLayerVisible: () => undefined,
  setLayerOpacity: () => undefined,
  moveLayer: () => undefined,
  setClass: () => undefined,
  setAttributes: () => undefined,
  setStatus: () => undefined,
  deleteAnnotation: () => undefined,
  resolveConflict: () => undefined,
  retrySaving: () => undefined,
};
export const useActions = () => actions;
