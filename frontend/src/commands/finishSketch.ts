/** Saves a polygon or line that was drawn by hand. */
import { crossesItself } from "../geo/crossing";
import { lineOf, polygonOf } from "../geo/shapes";
import { newId } from "../model/ids";
import type { Annotation } from "../protocol/entities";
import { classFor } from "../store/classFor";
import { notify, remember, type Context } from "./context";

export function finishSketch(context: Context): boolean {
  const { sketch, me, projectId, activeRaster } = context.store.get();
  if (sketch === null || sketch.kind === "measure" || me === null || projectId === null) return false;
  const labelClass = classFor(context.store.get(), sketch.kind);
  if (labelClass === null || sketch.points.length < (sketch.kind === "polygon" ? 3 : 2)) return false;
  const geometry = sketch.kind === "polygon" ? polygonOf(sketch.points) : lineOf(sketch.points);
  if (crossesItself(geometry)) {
    // The server would refuse it, and the drawing would be gone.
    notify(context, { text: "crossesItself" });
    return true;
  }
  const now = new Date().toISOString();
  const value: Annotation = {
    id: newId(),
    project: projectId,
    raster: activeRaster,
    label_class: labelClass.id,
    geometry,
    attributes: {},
    status: "draft",
    version: 1,
    author: me,
    updated_by: me,
    created_at: now,
    updated_at: now,
    area_m2: null,
    length_m: null,
    deleted: false,
    provenance: { kind: "drawn", thought_ms: Date.now() - sketch.startedAt },
  };
  context.save({ id: newId(), annotation: value.id, version: 0, kind: "create", value });
  remember(context, { annotation: value.id, undo: { kind: "delete" }, redo: { kind: "restore" } });
  context.store.set({ sketch: null, selected: value.id });
  return true;
}

/** Takes the last corner back; the sketch goes with its only one. */
export function takeBackPoint(context: Context): void {
  context.store.update((state) => {
    const points = state.sketch?.points.slice(0, -1) ?? [];
    return { ...state, sketch: state.sketch === null || points.length === 0 ? null : { ...state.sketch, points } };
  });
}
