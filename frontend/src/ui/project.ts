/** The open project as panels see it: what they read from the store, what they ask of commands. */
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { atLeast } from "../commands/context";
import { changeAttributes, changeClass, deleteAnnotation } from "../commands/edit";
import { redo, undo } from "../commands/history";
import { setStatus } from "../commands/review";
import type { Session } from "../commands/session";
import {
  chooseClass,
  chooseTool,
  moveLayer,
  openRaster,
  select,
  setLayer,
  toolAvailable,
  zoomToAnnotation,
  zoomToRaster,
} from "../commands/view";
import type { Annotation, AnnotationStatus, AttributeValue, Raster } from "../protocol/entities";
import type { State, ToolName } from "../store/state";
import { hintOf } from "./hint";

export type { Connection, MapFacts, ToolName } from "../store/state";
export type { Presence } from "../protocol/socket";

export interface Layer {
  readonly raster: Raster;
  readonly visible: boolean;
  readonly opacity: number;
}
export interface SaveState {
  readonly waiting: number;
  readonly failed: number;
}
export interface Conflict {
  readonly id: string;
  readonly mine: Annotation;
  readonly theirs: Annotation;
}

let session: Session | null = null;

/** Called once, before anything is shown. */
export function provideSession(given: Session): void {
  session = given;
}

function known(): Session {
  if (session === null) throw new Error("the session is provided before anything is shown");
  return session;
}

function useSlice<T>(pick: (state: State) => T): T {
  const { store } = known();
  return useSyncExternalStore(store.subscribe, () => pick(store.get()));
}

/** A value made from the state, kept as long as what it is made of stays the same. */
function derived<T>(parts: (state: State) => readonly unknown[], make: (state: State) => T): (state: State) => T {
  let last: { parts: readonly unknown[]; value: T } | null = null;
  return (state) => {
    const now = parts(state);
    if (last === null || now.some((part, index) => part !== last?.parts[index]))
      last = { parts: now, value: make(state) };
    return last.value;
  };
}

const layersOf = derived(
  (state) => [state.layers, state.rasters],
  (state): readonly Layer[] =>
    state.layers.flatMap(({ id, visible, opacity }) => {
      const raster = state.rasters.find((one) => one.id === id);
      return raster === undefined ? [] : [{ raster, visible, opacity }];
    }),
);
const saveOf = derived(
  (state) => [state.outbox.length, state.refused],
  (state): SaveState => ({ waiting: state.outbox.length, failed: state.refused }),
);
const historyOf = derived(
  (state) => [state.undo.length > 0, state.redo.length > 0],
  (state) => ({ canUndo: state.undo.length > 0, canRedo: state.redo.length > 0 }),
);
const othersOf = derived(
  (state) => [state.presence, state.session],
  (state) => state.presence.filter((one) => one.session !== state.session),
);

export const useRole = () => useSlice((state) => state.role);
export const useClasses = () => useSlice((state) => state.classes);
export const useRasters = () => useSlice((state) => state.rasters);
export const useJobs = () => useSlice((state) => state.jobs);
export const useMembers = () => useSlice((state) => state.members);
export const useSeq = () => useSlice((state) => state.seq);
export const useLoaded = () => useSlice((state) => state.loaded);
export const useAnnotations = () => useSlice((state) => state.annotations);
export const usePresence = () => useSlice(othersOf);
export const useConnection = () => useSlice((state) => state.connection);
export const useSaveState = () => useSlice(saveOf);
export const useSelected = () =>
  useSlice((state) => (state.selected === null ? null : (state.annotations.get(state.selected) ?? null)));
export const useActiveClassId = () => useSlice((state) => state.activeClass);
export const useActiveRaster = () =>
  useSlice((state) => state.rasters.find((raster) => raster.id === state.activeRaster) ?? null);
export const useTool = () => useSlice((state) => state.tool);
export const useHistory = () => useSlice(historyOf);
export const useMapFacts = () => useSlice((state) => state.facts);
export const useMapExtent = () => useSlice((state) => state.facts?.extent ?? null);
export const useConflict = (): Conflict | null => useSlice((state) => state.conflict);
export const useCanWork = () => useSlice((state) => atLeast(state, "owner"));
export const useLayers = () => useSlice(layersOf);
export const useNotice = () => useSlice((state) => state.notice);

export function useToolAvailable(): (name: ToolName) => boolean {
  useRole();
  const { context } = known();
  return (name) => toolAvailable(context, name);
}

/** What the next click will do. */
export function useHint(): string {
  const { t } = useTranslation();
  const said = useSlice(hintText);
  return said.text ?? t(said.key, said.values);
}
const hintText = derived(
  (state) => [state.tool, state.draft, state.sketch, state.selected, state.activeRaster, state.role, state.review],
  hintOf,
);

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

const actions: Actions = {
  openProject: (id) => known().open(id),
  closeProject: () => known().close(),
  setReview: (review) => {
    const { context, store } = known();
    if (store.get().review === review) return;
    if (review) chooseTool(context, "select");
    store.set({ review });
  },
  openRaster: (id) => openRaster(known().context, id),
  chooseClass: (id) => chooseClass(known().context, id),
  chooseTool: (name) => chooseTool(known().context, name),
  undo: () => void undo(known().context),
  redo: () => void redo(known().context),
  select: (id) => select(known().context, id),
  zoomToAnnotation: (id) => zoomToAnnotation(known().context, id),
  zoomToRaster: (id) => zoomToRaster(known().context, id),
  setLayerVisible: (id, visible) => setLayer(known().context, id, { visible }),
  setLayerOpacity: (id, opacity) => setLayer(known().context, id, { opacity }),
  moveLayer: (id, by) => moveLayer(known().context, id, by),
  setClass: (id, labelClass) => void changeClass(known().context, id, labelClass),
  setAttributes: (id, attributes) => void changeAttributes(known().context, id, attributes),
  setStatus: (id, status, comment = "") => void setStatus(known().context, id, status, comment),
  deleteAnnotation: (id) => void deleteAnnotation(known().context, id),
  resolveConflict: (_id, keep) => known().resolve(keep),
  retrySaving: () => known().retrySaving(),
};
export const useActions = () => actions;
