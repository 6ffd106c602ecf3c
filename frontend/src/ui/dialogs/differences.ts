/** In which respects two versions of a shape differ. */
import type { Annotation } from "../../protocol/entities";

const FIELDS = ["geometry", "label_class", "attributes", "status"] as const;
export type DifferingField = (typeof FIELDS)[number];

export function differences(mine: Annotation, theirs: Annotation): readonly DifferingField[] {
  return FIELDS.filter((field) => JSON.stringify(mine[field]) !== JSON.stringify(theirs[field]));
}

/** Keys of the attributes whose values differ. */
export function differingAttributes(one: Annotation, other: Annotation): readonly string[] {
  const keys = new Set([...Object.keys(one.attributes), ...Object.keys(other.attributes)]);
  return [...keys].filter((key) => one.attributes[key] !== other.attributes[key]).sort();
}
