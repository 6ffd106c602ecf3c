/** Enter: saves the draft as an annotation and makes room for the next object. */
import { newId } from "../model/ids";
import type { Annotation } from "../protocol/entities";
import { classFor } from "../store/classFor";
import { remember, type Context } from "./context";

export function acceptDraft(context: Context): boolean {
  const state = context.store.get();
  const { draft, me, projectId } = state;
  const candidate = draft?.candidates[draft.chosen];
  const labelClass = classFor(state, "polygon");
  if (draft?.phase !== "shown" || candidate === undefined || me === null || projectId === null) return false;
  if (labelClass === null) return false;
  const now = new Date().toISOString();
  const value: Annotation = {
    id: newId(),
    project: projectId,
    raster: draft.raster,
    label_class: labelClass.id,
    geometry: candidate.geometry,
    attributes: {},
    status: "draft",
    version: 1,
    author: me,
    updated_by: me,
    created_at: now,
    updated_at: now,
    area_m2: candidate.area_m2,
    length_m: 0,
    deleted: false,
    provenance: {
      kind: "suggested",
      prompts: draft.points.map(({ lon, lat, label }) => ({ lon, lat, label })),
      ...(draft.box === null ? {} : { box: [...draft.box] }),
      model: draft.model?.name ?? "",
      model_hash: draft.model?.hash ?? "",
      recipe: draft.recipe,
      ...(draft.window === null ? {} : { window: draft.window }),
      score: candidate.score,
      candidate: candidate.index,
      thought_ms: Date.now() - draft.startedAt,
      edited: false,
    },
  };
  context.save({ id: newId(), annotation: value.id, version: 0, kind: "create", value });
  remember(context, { annotation: value.id, undo: { kind: "delete" }, redo: { kind: "restore" } });
  context.conversation.clear();
  context.store.set({ selected: value.id });
  return true;
}
