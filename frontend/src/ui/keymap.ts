/** Every key there is, for the list behind `?` and for the help page. */
import type { ParseKeys } from "i18next";

interface KeyLine {
  readonly keys: readonly string[];
  readonly text: ParseKeys;
}

export interface KeyGroup {
  readonly title: ParseKeys;
  readonly lines: readonly KeyLine[];
}

export const KEY_GROUPS: readonly KeyGroup[] = [
  {
    title: "keys.tools",
    lines: [
      { keys: ["V"], text: "tool.select" },
      { keys: ["S"], text: "tool.click" },
      { keys: ["B"], text: "tool.box" },
      { keys: ["P"], text: "tool.polygon" },
      { keys: ["L"], text: "tool.line" },
      { keys: ["E"], text: "tool.edit" },
      { keys: ["M"], text: "tool.measure" },
      { keys: ["1", "…", "9"], text: "keys.class" },
    ],
  },
  {
    title: "keys.smart",
    lines: [
      { keys: ["Click"], text: "keys.add" },
      { keys: ["Right click", "Alt click"], text: "keys.subtract" },
      { keys: ["Drag"], text: "keys.box" },
      { keys: ["Shift"], text: "keys.preview" },
      { keys: ["Tab"], text: "keys.candidate" },
      { keys: [",", "."], text: "keys.vertices" },
      { keys: ["O"], text: "keys.form" },
      { keys: ["Z"], text: "keys.undoPrompt" },
      { keys: ["Enter"], text: "keys.accept" },
      { keys: ["Esc"], text: "keys.clear" },
    ],
  },
  {
    title: "keys.work",
    lines: [
      { keys: ["Space"], text: "keys.pan" },
      { keys: ["Delete"], text: "keys.delete" },
      { keys: ["Ctrl Z"], text: "keys.undo" },
      { keys: ["Ctrl Shift Z"], text: "keys.redo" },
      { keys: ["]"], text: "keys.panel" },
      { keys: ["?"], text: "keys.help" },
    ],
  },
  {
    title: "keys.review",
    lines: [
      { keys: ["A"], text: "keys.reviewAccept" },
      { keys: ["R"], text: "keys.reviewReturn" },
      { keys: ["F"], text: "keys.reviewFix" },
      { keys: ["N"], text: "keys.reviewNext" },
      { keys: ["B"], text: "keys.reviewBack" },
    ],
  },
];
