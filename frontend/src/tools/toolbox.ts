/** Keeps exactly one tool active, and hands it the keys; the letters that choose tools are here. */
import type { Context } from "../commands/context";
import { redo, undo } from "../commands/history";
import { chooseClass, chooseTool } from "../commands/view";
import { changeClass } from "../commands/edit";
import type { ToolName } from "../store/state";
import { draw } from "./draw";
import { editVertices } from "./editVertices";
import { measureTool } from "./measure";
import { selectTool } from "./select";
import { smartClick } from "./smartClick";
import type { MapPort, Tool, ToolMaker } from "./tool";

const MAKERS: Readonly<Record<ToolName, ToolMaker>> = {
  select: selectTool,
  click: smartClick(false),
  box: smartClick(true),
  polygon: draw("polygon"),
  line: draw("line"),
  edit: editVertices,
  measure: measureTool,
};
const LETTERS: Readonly<Record<string, ToolName>> = {
  v: "select",
  s: "click",
  b: "box",
  p: "polygon",
  l: "line",
  e: "edit",
  m: "measure",
};

export interface KeyPress {
  readonly key: string;
  readonly ctrl: boolean;
  readonly shift: boolean;
}

export class Toolbox {
  private name: ToolName = "select";
  private tool: Tool;

  constructor(
    private readonly context: Context,
    private readonly map: MapPort,
  ) {
    this.tool = MAKERS.select(context, map);
    context.store.subscribe(() => this.follow());
    this.follow();
  }

  get active(): Tool {
    return this.tool;
  }

  /** True when the key meant something here. */
  press({ key, ctrl, shift }: KeyPress): boolean {
    const low = key.length === 1 ? key.toLowerCase() : key;
    if (ctrl) {
      if (low === "z") return shift ? redo(this.context) : undo(this.context);
      return low === "y" && redo(this.context);
    }
    if (this.tool.key?.({ key: low, shift }) === true) return true;
    const { review, tool } = this.context.store.get();
    if (review && tool !== "edit") return false;
    const named = LETTERS[low];
    if (named !== undefined) {
      chooseTool(this.context, named);
      return true;
    }
    return /^[1-9]$/.test(low) && this.digit(Number(low));
  }

  /** A digit chooses the class for what comes next, and gives it to a selected shape under the select tool. */
  private digit(digit: number): boolean {
    const { classes, selected, tool, annotations } = this.context.store.get();
    const found = classes.find((one) => one.digit === digit);
    if (found === undefined) return false;
    chooseClass(this.context, found.id);
    const shape = selected === null ? undefined : annotations.get(selected);
    const old = classes.find((one) => one.id === shape?.label_class);
    if (shape !== undefined && (tool === "select" || tool === "edit") && old?.geometry_type === found.geometry_type) {
      if (old.id !== found.id) changeClass(this.context, shape.id, found.id);
    }
    return true;
  }

  private follow(): void {
    const { tool } = this.context.store.get();
    if (tool === this.name) return;
    const old = this.tool;
    this.name = tool;
    this.tool = MAKERS[tool](this.context, this.map);
    old.exit?.(tool);
  }
}
