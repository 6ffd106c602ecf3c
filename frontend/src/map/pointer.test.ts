import type MapBrowserEvent from "ol/MapBrowserEvent";
import { describe, expect, it, vi } from "vitest";
import type { Tool } from "../tools/tool";
import type { Toolbox } from "../tools/toolbox";
import { ToolInteraction } from "./pointer";

function open() {
  const tool = {
    cursor: "default",
    down: vi.fn(() => false),
    drag: vi.fn(),
    up: vi.fn(),
    cancel: vi.fn(),
    click: vi.fn(),
    doubleClick: vi.fn(),
    move: vi.fn(),
  } satisfies Tool;
  const interaction = new ToolInteraction({ active: tool } as unknown as Toolbox);
  const happen = (type: string, x: number, at: number, init: MouseEventInit = {}) => {
    const originalEvent = new MouseEvent("pointerup", init);
    Object.defineProperty(originalEvent, "timeStamp", { value: at });
    const event = { type, originalEvent, pixel: [x, 10], coordinate: [0, 0] };
    return interaction.handleEvent(event as unknown as MapBrowserEvent);
  };
  return { tool, interaction, happen };
}

describe("clicks", () => {
  it("quickly at one place are a double click", () => {
    const { tool, happen } = open();
    happen("click", 10, 0);
    happen("click", 12, 200);
    expect([tool.click.mock.calls.length, tool.doubleClick.mock.calls.length]).toEqual([2, 1]);
  });

  it("quickly at two places are two corners", () => {
    const { tool, happen } = open();
    happen("click", 10, 0);
    happen("click", 90, 100);
    happen("dblclick", 90, 101);
    expect([tool.click.mock.calls.length, tool.doubleClick.mock.calls.length]).toEqual([2, 0]);
  });

  it("slowly at one place are two clicks, and three quick ones one double click", () => {
    const { tool, happen } = open();
    happen("click", 10, 0);
    happen("click", 10, 900);
    expect(tool.doubleClick).not.toHaveBeenCalled();
    happen("click", 10, 1000);
    happen("click", 10, 1100);
    expect(tool.doubleClick).toHaveBeenCalledOnce();
  });

  it("with Space held belong to the map", () => {
    const { tool, interaction, happen } = open();
    interaction.panning = true;
    happen("click", 10, 0);
    expect([happen("pointerdown", 10, 0), tool.down.mock.calls.length, tool.click.mock.calls.length]).toEqual([
      true,
      0,
      0,
    ]);
  });
});

describe("a drag", () => {
  it("goes to the tool that takes it, from down to up, and else to the map", () => {
    const { tool, happen } = open();
    expect([happen("pointerdown", 0, 0), happen("pointerdrag", 5, 0), happen("pointerup", 5, 0)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(tool.drag).not.toHaveBeenCalled();
    tool.down.mockReturnValue(true);
    expect([happen("pointerdown", 0, 0), happen("pointerdrag", 5, 0), happen("pointerup", 5, 0)]).toEqual([
      false,
      false,
      false,
    ]);
    expect([tool.drag.mock.calls.length, tool.up.mock.calls.length]).toEqual([1, 1]);
  });

  it("with the middle button is the map's", () => {
    const { tool, happen } = open();
    tool.down.mockReturnValue(true);
    expect(happen("pointerdown", 0, 0, { button: 1 })).toBe(true);
    expect(tool.down).not.toHaveBeenCalled();
  });
});

it("a second finger makes the drag a zoom of the map", () => {
  const { tool, interaction, happen } = open();
  tool.down.mockReturnValue(true);
  happen("pointerdown", 0, 0);
  const second = {
    type: "pointerdown",
    originalEvent: new MouseEvent("pointerdown"),
    pixel: [9, 9],
    coordinate: [0, 0],
  };
  const event = { ...second, activePointers: [{}, {}] };
  expect(interaction.handleEvent(event as unknown as MapBrowserEvent)).toBe(true);
  expect(tool.cancel).toHaveBeenCalledOnce();
  expect([happen("pointerdrag", 5, 0), happen("pointerup", 5, 0)]).toEqual([true, true]);
  expect(tool.up).not.toHaveBeenCalled();
});

it("a key pressed while the pointer stands still is told with its last place", () => {
  const { tool, interaction, happen } = open();
  interaction.again({ shift: true });
  expect(tool.move).not.toHaveBeenCalled();
  happen("pointermove", 33, 0);
  interaction.again({ shift: true });
  expect(tool.move).toHaveBeenLastCalledWith(expect.objectContaining({ shift: true, screen: { x: 33, y: 10 } }));
});
