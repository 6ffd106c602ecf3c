/** The open project as panels see it: what they read from the store, what they ask of commands. */
import { useCallback, useMemo, useSyncExternalStore } from "react";
import { acceptDraft } from "../commands/acceptDraft";
import { changeAttributes, changeClass, changeGeometry, deleteAnnotation } from "../commands/edit";
import { redo, undo } from "../commands/history";
import { setForm, setLevel, shapingOf } from "../commands/reshape";
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
import type {
  Annotation,
  AnnotationStatus,
  AttributeValue,
  Geometry,
  OutlineRecipe,
  Raster,
} from "../protocol/entities";
import { draftClass } from "../store/classFor";
import { obstacleOf } from "../store/obstacle";
import { EMPTY, type State, type ToolName } from "../store/state";
import { hintOf } from "./hint";

export type { ToolName } from "../store/state";

export interface Layer {
  readonly raster: Raster;
  readonly visible: boolean;
  readonly opacity: number;
}

let session: Session | null = null;

/** Gives the panels the one session; called once, before anything is drawn. */
export function provideSession(given: Session): void {
  session = given;
}

const idle = () => () => undefined;

function useSlice<T>(pick: (state: State) => T): T {
  return useSyncExternalStore(session?.store.subscribe ?? idle, () => pick(session?.store.get() ?? EMPTY));
}

export const useRole = () => useSlice((state) => state.role);
export const useClasses = () => useSlice((state) => state.classes);
export const useRasters = () => useSlice((state) => state.rasters);
export const useJobs = () => useSlice((state) => state.jobs);
export const useMembers = () => useSlice((state) => state.members);
export const useSeq = () => useSlice((state) => state.seq);
export const useLoaded = () => useSlice((state) => state.loaded);
export const useAnnotations = () => useSlice((state) => state.annotations);
export const usePresence = () => useSlice((state) => state.presence);
export const useConnection = () => useSlice((state) => state.connection);
export const useConflict = () => useSlice((state) => state.conflict);
export const useNotice = () => useSlice((state) => state.notice);
export const useTool = () => useSlice((state) => state.tool);
export const useActiveClassId = () => useSlice((state) => state.activeClass);
export const useSketch = () => useSlice((state) => state.sketch);
export const useDraft = () => useSlice((state) => state.draft);
/** The class an accepted draft gets. */
export const useDraftClass = () => useSlice(draftClass);

/** What the draft is drawn by, put together anew only when that changes. */
export function useShaping() {
  const [draft, classes, activeClass, rasters] = [useDraft(), useClasses(), useActiveClassId(), useRasters()];
  return useMemo(() => shapingOf({ draft, classes, activeClass, rasters }), [draft, classes, activeClass, rasters]);
}

export const useHint = () => useSlice(hintOf);
export const useObstacle = () => useSlice(obstacleOf);
export const useMapFacts = () => useSlice((state) => state.facts);
export const useMapExtent = () => useSlice((state) => state.facts?.extent ?? null);
/** Jobs are cancelled and retried by owners. */
export const useCanWork = () => useSlice((state) => state.role === "owner");

export const useSelected = () =>
  useSlice((state) => (state.selected === null ? null : (state.annotations.get(state.selected) ?? null)));

export const useActiveRaster = () =>
  useSlice((state) => state.rasters.find((raster) => raster.id === state.activeRaster) ?? null);

export function useSaveState(): { readonly waiting: number; readonly failed: number } {
  const waiting = useSlice((state) => state.outbox.length);
  const failed = useSlice((state) => state.refused);
  return { waiting, failed };
}

export function useHistory(): { readonly canUndo: boolean; readonly canRedo: boolean } {
  const canUndo = useSlice((state) => state.undo.length > 0);
  const canRedo = useSlice((state) => state.redo.length > 0);
  return { canUndo, canRedo };
}

export function useToolAvailable(): (name: ToolName) => boolean {
  const role = useRole();
  return useCallback((name) => toolAvailable({ role }, name), [role]);
}

/** The layers that can be shown, topmost first. */
export function useLayers(): readonly Layer[] {
  const layers = useSlice((state) => state.layers);
  const rasters = useRasters();
  return useMemo(
    () =>
      layers.flatMap(({ id, visible, opacity }) => {
        const raster = rasters.find((one) => one.id === id);
        return raster === undefined ? [] : [{ raster, visible, opacity }];
      }),
    [layers, rasters],
  );
}

export interface Actions {
  openProject(id: string): void;
  closeProject(): void;
  setReview(on: boolean): void;
  openRaster(id: string): void;
  chooseClass(id: string): void;
  chooseTool(name: ToolName): void;
  /** Shows another candidate of the draft. */
  chooseCandidate(index: number): void;
  acceptDraft(): void;
  /** Draws the draft by another recipe; null: by its class's own. */
  reshapeDraft(recipe: OutlineRecipe | null): void;
  setDraftLevel(level: number): void;
  setDraftForm(form: OutlineRecipe["form"]): void;
  clearDraft(): void;
  undo(): void;
  redo(): void;
  select(id: string | null): void;
  zoomToAnnotation(id: string): void;
  zoomToRaster(id: string): void;
  setLayerVisible(id: string, visible: boolean): void;
  setLayerOpacity(id: string, opacity: number): void;
  /** One place in the list as shown: -1 is up. */
  moveLayer(id: string, by: 1 | -1): void;
  /** Shows a shape as another recipe would draw it; null: no more. */
  showOutline(geometry: Geometry | null): void;
  setGeometry(annotation: Annotation, geometry: Geometry): void;
  setClass(id: string, labelClass: string): void;
  setAttributes(id: string, attributes: Readonly<Record<string, AttributeValue>>): void;
  setStatus(id: string, status: AnnotationStatus, comment?: string): void;
  deleteAnnotation(id: string): void;
  resolveConflict(keep: "mine" | "theirs"): void;
  retrySaving(): void;
}

const actions: Actions = {
  openProject: (id) => session?.open(id),
  closeProject: () => session?.close(),
  setReview: (on) => {
    if (session === null || session.store.get().review === on) return;
    if (on) withContext((context) => chooseTool(context, "select"));
    session.store.set({ review: on });
  },
  openRaster: (id) =>
    withContext((context) => {
      setLayer(context, id, { visible: true });
      openRaster(context, id);
    }),
  chooseClass: (id) => withContext((context) => chooseClass(context, id)),
  chooseTool: (name) => withContext((context) => chooseTool(context, name)),
  chooseCandidate: (index) =>
    withContext(({ conversation, store }) => {
      const { draft } = store.get();
      if (draft === null || index === draft.chosen || draft.candidates[index] === undefined) return;
      // At most three candidates: every other one is a step away, forwards or backwards.
      conversation.cycle((draft.chosen + 1) % draft.candidates.length === index ? 1 : -1);
    }),
  acceptDraft: () => withContext(acceptDraft),
  reshapeDraft: (recipe) => withContext(({ conversation }) => conversation.reshape(recipe)),
  setDraftLevel: (level) => withContext((context) => setLevel(context, level)),
  setDraftForm: (form) => withContext((context) => setForm(context, form)),
  clearDraft: () => withContext(({ conversation }) => conversation.clear()),
  undo: () => withContext(undo),
  redo: () => withContext(redo),
  select: (id) => withContext((context) => select(context, id)),
  zoomToAnnotation: (id) => withContext((context) => zoomToAnnotation(context, id)),
  zoomToRaster: (id) => withContext((context) => zoomToRaster(context, id)),
  setLayerVisible: (id, visible) => withContext((context) => setLayer(context, id, { visible })),
  setLayerOpacity: (id, opacity) => withContext((context) => setLayer(context, id, { opacity })),
  moveLayer: (id, by) => withContext((context) => moveLayer(context, id, by === 1 ? -1 : 1)),
  showOutline: (outlined) => session?.store.set({ outlined }),
  setGeometry: (annotation, geometry) => withContext((context) => changeGeometry(context, annotation, geometry)),
  setClass: (id, labelClass) => withContext((context) => changeClass(context, id, labelClass)),
  setAttributes: (id, attributes) => withContext((context) => changeAttributes(context, id, attributes)),
  setStatus: (id, status, comment) => withContext((context) => setStatus(context, id, status, comment)),
  deleteAnnotation: (id) => withContext((context) => deleteAnnotation(context, id)),
  resolveConflict: (keep) => session?.resolve(keep),
  retrySaving: () => session?.retrySaving(),
};

export function useActions(): Actions {
  return actions;
}

function withContext(command: (context: Session["context"]) => unknown): void {
  if (session !== null) command(session.context);
}
