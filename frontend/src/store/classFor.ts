/** The class that the next shape gets. */
import type { LabelClass } from "../protocol/entities";
import type { State } from "./state";

/** The class that a suggestion is for: the chosen one unless it takes points, else the first that takes polygons. */
export function draftClass({ classes, activeClass }: Pick<State, "classes" | "activeClass">): LabelClass | null {
  const chosen = classes.find((one) => one.id === activeClass);
  if (chosen !== undefined && chosen.geometry_type !== "point") return chosen;
  return classes.find((one) => one.geometry_type === "polygon") ?? null;
}

/** The chosen class if it takes such shapes, else the first one that does. */
export function classFor(
  { classes, activeClass }: Pick<State, "classes" | "activeClass">,
  type: "polygon" | "line",
): LabelClass | null {
  const fitting = classes.filter((one) => one.geometry_type === type);
  return fitting.find((one) => one.id === activeClass) ?? fitting[0] ?? null;
}
