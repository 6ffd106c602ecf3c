/** What the next click or key does, in words, from the state alone. */
import { i18n } from "../i18n";
import { mayEdit } from "../commands/context";
import { draftClass } from "../store/classFor";
import { obstacleOf } from "../store/obstacle";
import type { Draft, State } from "../store/state";

const LATE_SECONDS = 8;
const WINDOW_PX = 1024;

export function hintOf(state: State): string {
  const t = i18n.t.bind(i18n);
  if (!state.loaded) return t("hint.loading");
  if (state.review && state.tool !== "edit") return t("hint.review");
  if (state.activeRaster === null && state.annotations.size === 0) return t("hint.noRaster");
  if (state.role === "viewer" && state.tool !== "measure") return t("hint.viewer");
  switch (state.tool) {
    case "select":
      if (state.selected === null) return t("hint.select");
      return t(mayEdit(state, state.selected) ? "hint.selected" : "hint.selectedFixed");
    case "click":
    case "box":
      return smartHint(state);
    case "polygon":
    case "line":
      return drawHint(state);
    case "measure":
      if (state.sketch === null) return t("hint.measureStart");
      return t(state.sketch.done === undefined ? "hint.measure" : "hint.measureDone");
    case "edit":
      return t(state.selected === null ? "hint.editNone" : "hint.edit");
  }
}

function smartHint(state: State): string {
  const { draft, tool, classes, activeClass, activeRaster } = state;
  const t = i18n.t.bind(i18n);
  const labelClass = draftClass({ classes, activeClass });
  if (activeRaster === null) return t("hint.noRaster");
  if (labelClass === null) return t("hint.noClass.polygon");
  if (draft === null) return t(tool === "box" ? "hint.box" : "hint.click", { name: labelClass.name });
  switch (draft.phase) {
    case "waiting":
      return t("hint.waiting");
    case "encoding": {
      const seconds = draft.readyAt === null ? 0 : Math.ceil((draft.readyAt - Date.now()) / 1000);
      if (seconds < -LATE_SECONDS) return t("hint.encodingLate");
      return seconds > 0 ? t("hint.encodingFor", { n: seconds }) : t("hint.encoding");
    }
    case "failed":
      return draft.problem ?? t("hint.failed");
    case "shown":
      if (draft.candidates.length === 0) return draft.problem ?? t("hint.nothing");
      if (draft.growing) return t("hint.growing", { name: labelClass.name });
      return [
        ...seenHow(draft),
        obstacleOf(state) !== null
          ? t("hint.shownNot")
          : t(draft.candidates.length > 1 ? "hint.shownSeveral" : "hint.shown", {
              name: labelClass.name,
              chosen: draft.chosen + 1,
              total: draft.candidates.length,
              score: Math.round(100 * (draft.candidates[draft.chosen]?.score ?? 0)),
            }),
      ].join(" · ");
  }
}

/** What is worth knowing of an outline that no single window at full resolution holds. */
function seenHow({ windows }: Draft): string[] {
  const times = (windows[0]?.size ?? WINDOW_PX) / WINDOW_PX;
  const said: string[] = [];
  if (windows.length > 1) said.push(i18n.t("hint.joined", { n: windows.length }));
  if (times > 1) said.push(i18n.t("hint.coarser", { n: times }));
  return said;
}

function drawHint({ tool, sketch, classes }: State): string {
  const t = i18n.t.bind(i18n);
  const kind = tool === "line" ? "line" : "polygon";
  if (!classes.some((one) => one.geometry_type === kind)) return t(`hint.noClass.${kind}`);
  if (sketch === null) return t(`hint.${kind}Start`);
  return t(sketch.points.length < (kind === "polygon" ? 3 : 2) ? "hint.drawMore" : `hint.${kind}End`);
}
