/** In which respects two versions of a shape differ. */
import type { Annotation } from "../../protocol/entities";

const FIELDS = ["geometry", "label_class", "attributes", "status"] as const;
export type DifferingField = (typeof FIELDS)[number];

export function differences(mine: Annotation, theirs: Annotation): readonly DifferingField[] {
  return FIELDS.filter((field) => JSON.stringify(mine[field]) !== JSON.stringify(theirs[field]));
}
