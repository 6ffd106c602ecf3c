/** Which change a revision made, from it and the one before. */
import type { Revision } from "../../protocol/entities";

export type RevisionChange =
  | "created"
  | "deleted"
  | "restored"
  | "submitted"
  | "accepted"
  | "returned"
  | "takenBack"
  | "reclassed"
  | "reshaped"
  | "described"
  | "changed";

export function revisionChange(revision: Revision, before: Revision | null): RevisionChange {
  if (revision.kind === "deleted") return "deleted";
  if (revision.kind === "restored") return "restored";
  if (before === null) return "created";
  if (revision.status !== before.status) {
    if (revision.status === "submitted") return "submitted";
    if (revision.status === "accepted") return "accepted";
    return revision.status === "changes_requested" ? "returned" : "takenBack";
  }
  if (revision.label_class !== before.label_class) return "reclassed";
  if (!same(revision.geometry, before.geometry)) return "reshaped";
  if (!same(revision.attributes, before.attributes)) return "described";
  return "changed";
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
