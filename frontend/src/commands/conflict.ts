/** Two people changed one shape: the user says which version stays; nothing is lost, both are in the history. */
import { newId } from "../model/ids";
import type { Op } from "../store/state";
import type { Context } from "./context";

/** Gives the change that replaces the one in conflict, or null when theirs stays. */
export function resolveConflict(context: Context, keep: "mine" | "theirs"): { op: Op; replacement: Op | null } | null {
  const { conflict } = context.store.get();
  if (conflict === null) return null;
  const { op, theirs } = conflict;
  const replacement = keep === "mine" ? { ...op, id: newId(), version: theirs.version } : null;
  context.store.set({ conflict: null });
  return { op, replacement };
}
