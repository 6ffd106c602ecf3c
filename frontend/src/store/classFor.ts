/** The class that the next shape gets. */
import type { LabelClass } from "../protocol/entities";
import type { State } from "./state";

/** The chosen class if it takes such shapes, else the first one that does. */
export function classFor(
  { classes, activeClass }: Pick<State, "classes" | "activeClass">,
  type: "polygon" | "line",
): LabelClass | null {
  const fitting = classes.filter((one) => one.geometry_type === type);
  return fitting.find((one) => one.id === activeClass) ?? fitting[0] ?? null;
}
