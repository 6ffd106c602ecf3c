/** Moves an annotation through review. */
import { newId } from "../model/ids";
import type { AnnotationStatus } from "../protocol/entities";
import { effective } from "../store/reconcile";
import type { Context } from "./context";

export function setStatus(context: Context, id: string, status: AnnotationStatus, comment = ""): boolean {
  const seen = effective(context.store.get(), id);
  if (seen === undefined) return false;
  context.save({
    id: newId(),
    annotation: id,
    version: seen.version,
    kind: "status",
    status,
    before: seen.status,
    comment,
  });
  return true;
}
