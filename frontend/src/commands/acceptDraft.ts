/** Enter: saves the draft as an annotation and makes room for the next object. */
import { newId } from "../model/ids";
import type { Annotation, LabelClass } from "../protocol/entities";
import { draftClass } from "../store/classFor";
import { obstacleOf } from "../store/obstacle";
import type { Candidate, Draft } from "../store/state";
import { remember, type Context } from "./context";

export function acceptDraft(context: Context): boolean {
  const state = context.store.get();
  const { draft, me, projectId } = state;
  const candidate = draft?.candidates[draft.chosen];
  const labelClass = draftClass(state);
  if (draft?.phase !== "shown" || candidate === undefined || me === null || projectId === null) return false;
  if (labelClass === null) return false;
  // The server would refuse it, and the clicks would be gone; the draft's bar says why.
  if (obstacleOf(state) !== null) return true;
  // Until its line has come, a mask is shown as ground.
  if (candidate.geometry.type.endsWith("LineString") !== (labelClass.geometry_type === "line")) return true;
  const now = new Date().toISOString();
  const value: Annotation = {
    id: newId(),
    project: projectId,
    raster: draft.raster,
    label_class: labelClass.id,
    geometry: candidate.geometry,
    attributes: widthOf(labelClass, candidate),
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
      ...usedWindows(draft),
      score: candidate.score,
      candidate: candidate.index,
      thought_ms: Date.now() - draft.startedAt,
      edited: false,
      ...(candidate.width === undefined ? {} : { width_m: candidate.width }),
    },
  };
  context.save({ id: newId(), annotation: value.id, version: 0, kind: "create", value });
  remember(context, { annotation: value.id, undo: { kind: "delete" }, redo: { kind: "restore" } });
  context.conversation.clear(value.id);
  context.store.set({ selected: value.id });
  return true;
}

/** A line's width goes into the attribute of that name, where the class has one. */
function widthOf(labelClass: LabelClass, { width }: Candidate): Annotation["attributes"] {
  const has = labelClass.attributes.some((one) => one.key === "width" && one.type === "number");
  return width !== undefined && has ? { width } : {};
}

/** The first window, and all of them where there are several. */
function usedWindows({ windows }: Draft): Pick<Annotation["provenance"], "window" | "windows"> {
  const places = windows.map(({ col, row, size }) => ({ col, row, size }));
  return {
    ...(places[0] === undefined ? {} : { window: places[0] }),
    ...(places.length > 1 ? { windows: places } : {}),
  };
}
