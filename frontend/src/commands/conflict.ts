/** Two people changed one shape: the user says which version stays; nothing is lost, both are in the history. */
import { newId } from "../model/ids";
import { withReplacement } from "../store/rebase";
import type { Op } from "../store/state";
import type { Context } from "./context";

type Queue = readonly Op[];

/** How the queue goes on: with mine made on their version, or without my changes of that shape. */
export function resolveConflict(
  context: Context,
  keep: "mine" | "theirs",
): { annotation: string; change: (queue: Queue) => Queue } | null {
  const { conflict } = context.store.get();
  if (conflict === null) return null;
  const { op, theirs } = conflict;
  context.store.set({ conflict: null });
  const change =
    keep === "mine"
      ? (queue: Queue) => withReplacement(queue, op.id, { ...op, id: newId(), version: theirs.version })
      : (queue: Queue) => queue.filter((one) => one.annotation !== op.annotation);
  return { annotation: op.annotation, change };
}
