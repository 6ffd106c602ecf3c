/** What the status bar says: what the next click will do. */
import type { ParseKeys } from "i18next";
import type { State } from "../store/state";

export interface Hint {
  readonly key: ParseKeys;
  readonly values: Readonly<Record<string, string | number>>;
  /** The server's own words, where it said some. */
  readonly text?: string;
}

export function hintOf(state: State): Hint {
  if (state.activeRaster === null) return say("hint.noRaster");
  if (state.role === "viewer") return say("hint.viewer");
  switch (state.tool) {
    case "click":
    case "box":
      return draftHint(state);
    case "polygon":
    case "line":
      return state.sketch === null ? say(`hint.${state.tool}`) : say("hint.sketch");
    case "edit":
      return say(state.selected === null ? "hint.editNothing" : "hint.edit");
    case "select":
      if (state.review) return say("hint.review");
      return say(state.selected === null ? "hint.select" : "hint.selected");
  }
}

function draftHint({ draft, tool }: State): Hint {
  if (draft === null) return say(tool === "box" ? "hint.box" : "hint.click");
  switch (draft.phase) {
    case "waiting":
      return say("hint.waiting");
    case "encoding":
      return say("hint.encoding");
    case "failed":
      return draft.problem === null ? say("hint.failed") : { key: "hint.failed", values: {}, text: draft.problem };
    case "shown": {
      const score = draft.candidates[draft.chosen]?.score ?? 0;
      return say("hint.shown", {
        number: draft.chosen + 1,
        count: draft.candidates.length,
        score: Math.round(score * 100),
      });
    }
  }
}

function say(key: ParseKeys, values: Hint["values"] = {}): Hint {
  return { key, values };
}
