/** Three-way merge: a change made again on a version that somebody else has saved in between. Pure. */
import type { Annotation, AttributeValue } from "../protocol/entities";
import type { Op } from "./state";

type Attributes = Readonly<Record<string, AttributeValue>>;
type EditFields = Extract<Op, { kind: "edit" }>["fields"];

/** The change made on `theirs`, when both can stand side by side; null when a person has to choose. */
export function rebased(op: Op, theirs: Annotation, newId: string): Op | null {
  const again = { id: newId, annotation: op.annotation, version: theirs.version };
  switch (op.kind) {
    case "edit": {
      if (theirs.deleted) return null;
      const fields = mergedFields(op.fields, op.before, theirs);
      return fields === null ? null : { ...again, kind: "edit", fields, before: beforeOf(theirs, fields) };
    }
    case "status":
      // Nobody accepts what they have not seen.
      return theirs.deleted || op.status === "accepted" || theirs.status !== op.before
        ? null
        : { ...op, ...again, before: theirs.status };
    case "restore":
      return theirs.deleted ? { ...op, ...again } : null;
    case "create":
    case "delete":
      return null;
  }
}

/** The queue with a change replaced, and the later ones of that annotation numbered after it. */
export function withReplacement(queue: readonly Op[], replaced: string, replacement: Op): readonly Op[] {
  let version = replacement.version;
  return queue.map((op) => {
    if (op.id === replaced) return replacement;
    if (op.annotation !== replacement.annotation) return op;
    version += 1;
    return { ...op, version };
  });
}

/** What the fields of an edit were before it. */
export function beforeOf(annotation: Annotation, fields: EditFields): EditFields {
  return {
    ...(fields.geometry === undefined ? {} : { geometry: annotation.geometry }),
    ...(fields.label_class === undefined ? {} : { label_class: annotation.label_class }),
    ...(fields.attributes === undefined ? {} : { attributes: annotation.attributes }),
  };
}

function mergedFields(mine: EditFields, before: EditFields, theirs: Annotation): EditFields | null {
  if (mine.geometry !== undefined && !free(mine.geometry, before.geometry, theirs.geometry)) return null;
  if (mine.label_class !== undefined) {
    if (!free(mine.label_class, before.label_class, theirs.label_class)) return null;
  }
  if (mine.attributes === undefined) return mine;
  const attributes = mergedAttributes(mine.attributes, before.attributes ?? {}, theirs.attributes);
  return attributes === null ? null : { ...mine, attributes };
}

function mergedAttributes(mine: Attributes, before: Attributes, theirs: Attributes): Attributes | null {
  const merged: Record<string, AttributeValue> = {};
  for (const key of new Set([...Object.keys(mine), ...Object.keys(before), ...Object.keys(theirs)])) {
    const changedHere = mine[key] !== before[key];
    if (changedHere && theirs[key] !== before[key] && mine[key] !== theirs[key]) return null;
    const value = changedHere ? mine[key] : theirs[key];
    if (value !== undefined) merged[key] = value;
  }
  return merged;
}

/** Whether theirs left the thing alone, or did the same to it. */
function free(mine: unknown, before: unknown, theirs: unknown): boolean {
  return same(theirs, before) || same(theirs, mine);
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
