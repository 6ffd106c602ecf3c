/** What the user sees: confirmed annotations with the changes that are on their way laid over them. Pure. */
import type { Annotation } from "../protocol/entities";
import type { Op, State } from "./state";

/** The annotation after one change, as the server will most likely have it. */
export function withOp(annotation: Annotation | undefined, op: Op): Annotation | undefined {
  if (op.kind === "create") return annotation ?? op.value;
  if (annotation === undefined) return undefined;
  const next = { ...annotation, version: annotation.version + 1 };
  switch (op.kind) {
    case "edit":
      return { ...next, ...op.fields, attributes: { ...(op.fields.attributes ?? annotation.attributes) } };
    case "delete":
      return { ...next, deleted: true };
    case "restore":
      return { ...next, deleted: false };
    case "status":
      return { ...next, status: op.status };
  }
}

/** One annotation as the user sees it, deleted or not. */
export function effective(state: Pick<State, "confirmed" | "outbox">, id: string): Annotation | undefined {
  let seen = state.confirmed.get(id);
  for (const op of state.outbox) if (op.annotation === id) seen = withOp(seen, op);
  return seen;
}

/** The visible annotations after those named have changed; the others are kept as they are. */
export function reconciled(
  state: Pick<State, "confirmed" | "outbox" | "annotations">,
  ids: Iterable<string>,
): ReadonlyMap<string, Annotation> {
  const next = new Map(state.annotations);
  for (const id of ids) {
    const seen = effective(state, id);
    if (seen === undefined || seen.deleted) next.delete(id);
    else next.set(id, seen);
  }
  return next;
}
