/** Changes of saved annotations: shape, class, attributes, removal. Each is one undo step. */
import type { Geometry } from "../geo/geometry";
import type { Annotation, AttributeValue } from "../protocol/entities";
import { effective } from "../store/reconcile";
import type { Op } from "../store/state";
import { change, mayEdit, remember, type Context } from "./context";

type Fields = Extract<Op, { kind: "edit" }>["fields"];

/** `base` is the annotation as it was when the user began to move it. */
export function changeGeometry(context: Context, base: Annotation, geometry: Geometry): boolean {
  return editFields(context, base.id, { geometry }, base);
}

export function changeClass(context: Context, id: string, labelClass: string): boolean {
  return editFields(context, id, { label_class: labelClass });
}

export function changeAttributes(
  context: Context,
  id: string,
  attributes: Readonly<Record<string, AttributeValue>>,
): boolean {
  return editFields(context, id, { attributes });
}

export function deleteAnnotation(context: Context, id: string): boolean {
  if (!mayEdit(context.store.get(), id) || !change(context, id, { kind: "delete" })) return false;
  remember(context, { annotation: id, undo: { kind: "restore" }, redo: { kind: "delete" } });
  if (context.store.get().selected === id) context.store.set({ selected: null, editing: null });
  return true;
}

function editFields(context: Context, id: string, fields: Fields, base?: Annotation): boolean {
  const state = context.store.get();
  const before = base ?? effective(state, id);
  if (before === undefined || !mayEdit(state, id)) return false;
  if (!change(context, id, { kind: "edit", fields }, base)) return false;
  const old: Fields = {
    ...(fields.geometry === undefined ? {} : { geometry: before.geometry }),
    ...(fields.label_class === undefined ? {} : { label_class: before.label_class, attributes: before.attributes }),
    ...(fields.attributes === undefined ? {} : { attributes: before.attributes }),
  };
  remember(context, { annotation: id, undo: { kind: "edit", fields: old }, redo: { kind: "edit", fields } });
  return true;
}
