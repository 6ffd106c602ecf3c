/** Undo and redo: each is a new change, made on what is there now. */
import { change, type Context } from "./context";

export function undo(context: Context): boolean {
  const state = context.store.get();
  const step = state.undo.at(-1);
  if (step === undefined || !change(context, step.annotation, step.undo)) return false;
  context.store.update((now) => ({ ...now, undo: now.undo.slice(0, -1), redo: [...now.redo, step], editing: null }));
  return true;
}

export function redo(context: Context): boolean {
  const state = context.store.get();
  const step = state.redo.at(-1);
  if (step === undefined || !change(context, step.annotation, step.redo)) return false;
  context.store.update((now) => ({ ...now, redo: now.redo.slice(0, -1), undo: [...now.undo, step], editing: null }));
  return true;
}
