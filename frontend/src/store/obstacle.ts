/** Why what is shown of the draft cannot be accepted, in words; null where it can. */
import { draftClass } from "./classFor";
import type { State } from "./state";

type Seen = Pick<State, "draft" | "classes" | "activeClass">;

/** A mask that is no road is shown as the ground it covers; so is a road until its line has come. */
export function isGroundForLine({ draft, ...state }: Seen): boolean {
  const geometry = draft?.candidates[draft.chosen]?.geometry;
  const takesLines = draftClass(state)?.geometry_type === "line";
  return geometry !== undefined && takesLines && !geometry.type.endsWith("LineString");
}

export function obstacleOf(state: Seen): string | null {
  const { draft } = state;
  if (draft?.phase !== "shown") return null;
  return draft.fit?.problem ?? (isGroundForLine(state) ? draft.problem : null);
}
