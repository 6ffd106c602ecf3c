/** Undo and redo: each is a new change, made on what is there now, and never over what a teammate did in between. */
import { sameGeometry } from "../geo/shapes";
import type { Annotation } from "../protocol/entities";
import { effective } from "../store/reconcile";
import type { State, Step } from "../store/state";
import { change, mayEdit, notify, type Context } from "./context";

export function undo(context: Context): boolean {
  return step(context, "undo");
}

export function redo(context: Context): boolean {
  return step(context, "redo");
}

function step(context: Context, way: "undo" | "redo"): boolean {
  const back = way === "undo" ? "redo" : "undo";
  const state = context.store.get();
  const last = state[way].at(-1);
  if (last === undefined) return false;
  const possible = stands(state, last, back) && mayEdit(state, last.annotation);
  if (!possible || !change(context, last.annotation, last[way])) {
    context.store.update((now) => ({ ...now, [way]: now[way].slice(0, -1) }));
    notify(context, { text: "changedSince" });
    return true;
  }
  context.store.update((now) => ({
    ...now,
    [way]: now[way].slice(0, -1),
    [back]: [...now[back], last],
    editing: null,
  }));
  return true;
}

/** Whether the annotation is still as the step left it. */
function stands(state: State, last: Step, left: "undo" | "redo"): boolean {
  const now = effective(state, last.annotation);
  const made = last[left];
  if (now === undefined) return false;
  switch (made.kind) {
    case "delete":
      return now.deleted;
    case "restore":
      return !now.deleted && (now.updated_by === null || now.updated_by.id === state.me?.id);
    case "edit":
      return !now.deleted && holds(now, made.fields);
  }
}

function holds(now: Annotation, { geometry, label_class, attributes }: Partial<Annotation>): boolean {
  if (geometry !== undefined && !sameGeometry(now.geometry, geometry)) return false;
  if (label_class !== undefined && now.label_class !== label_class) return false;
  return attributes === undefined || sameValues(now.attributes, attributes);
}

function sameValues(one: Annotation["attributes"], other: Annotation["attributes"]): boolean {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].every((key) => one[key] === other[key]);
}
