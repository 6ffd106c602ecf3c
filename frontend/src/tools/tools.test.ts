import { describe, expect, it, vi } from "vitest";
import { exampleClass } from "../protocol/examples";
import type { Store } from "../store/store";
import { at, map, open, shape } from "./testing";

/** An answer of the model, as the conversation lays it into the state. */
function answer(store: Store): void {
  const { draft } = store.get();
  if (draft === null) throw new Error("nothing was asked");
  store.set({
    draft: {
      ...draft,
      phase: "shown",
      candidates: [{ geometry: shape.geometry, score: 0.9, area_m2: 5, index: 0 }],
      model: { name: "m", hash: "h" },
      windows: [0, 896].map((col) => ({ col, row: 0, size: 1024, outline: [] })),
    },
  });
}

describe("the keys", () => {
  it("choose tools by their letter, and classes by their digit", () => {
    const { store, press } = open();
    for (const [key, tool] of [
      ["s", "click"],
      ["B", "box"],
      ["p", "polygon"],
      ["l", "line"],
      ["e", "edit"],
      ["v", "select"],
    ] as const) {
      expect(press(key)).toBe(true);
      expect(store.get().tool).toBe(tool);
    }
    expect(press("2")).toBe(true);
    expect(store.get().activeClass).toBe("field");
    expect(press("9")).toBe(false);
  });

  it("choose no drawing tool for a viewer", () => {
    const { store, press } = open({ role: "viewer" });
    press("s");
    expect(store.get().tool).toBe("select");
  });

  it("are left to review while it is open", () => {
    const { store, press } = open({ review: true });
    expect([press("b"), press("a"), store.get().tool]).toEqual([false, false, "select"]);
  });

  it("give a selected shape its class under Select only", () => {
    const { press, ops, store } = open({ selected: shape.id });
    press("2");
    expect(ops.map((op) => op.kind === "edit" && op.fields)).toEqual([{ label_class: "field" }]);
    press("s");
    press("1");
    expect([ops.length, store.get().activeClass]).toEqual([1, exampleClass().id]);
  });
});

describe("smart click", () => {
  it("adds with a click, takes away with Alt or the right button", () => {
    const { store, toolbox, press } = open();
    press("s");
    const tool = toolbox.active;
    for (const pointer of [at(10, 10), at(20, 10, { alt: true })]) {
      tool.down?.(pointer);
      tool.up?.(pointer);
    }
    tool.click?.(at(30, 10, { secondary: true }));
    expect(store.get().draft?.points.map((point) => point.label)).toEqual([1, 0, 0]);
  });

  it("makes a box of a drag, however it was dragged", () => {
    const { store, toolbox, press } = open();
    press("s");
    toolbox.active.down?.(at(100, 100));
    toolbox.active.drag?.(at(20, 40));
    toolbox.active.up?.(at(20, 40));
    const [west, south, east, north] = store.get().draft!.box!;
    expect([west, south, east, north].map((one) => Number(one.toFixed(3)))).toEqual([7.02, 46.9, 7.1, 46.96]);
    expect([store.get().draft?.points, store.get().sketch]).toEqual([[], null]);
  });

  it("takes no point for a box before there is one, and then makes it more exact; the draft outlives the change of tool", () => {
    const { store, toolbox, press } = open();
    press("b");
    const click = (x: number) => {
      toolbox.active.down?.(at(x, 50));
      toolbox.active.up?.(at(x, 50));
    };
    click(60);
    expect(store.get().draft).toBeNull();
    toolbox.active.down?.(at(20, 40));
    toolbox.active.up?.(at(100, 100));
    click(60);
    press("s");
    click(70);
    expect([store.get().draft?.points.length, store.get().draft?.box === null]).toEqual([2, false]);
  });

  it("saves the draft with Enter, with its whole provenance, and is ready for the next", () => {
    const { store, toolbox, press, ops } = open({ activeClass: "field" });
    press("s");
    toolbox.active.down?.(at(10, 10));
    toolbox.active.up?.(at(10, 10));
    expect(press("Enter")).toBe(false);
    answer(store);
    expect(press("Enter")).toBe(true);
    expect(ops).toHaveLength(1);
    const op = ops[0]!;
    expect(op.kind === "create" && op.value).toMatchObject({
      label_class: "field",
      status: "draft",
      geometry: shape.geometry,
      provenance: { kind: "suggested", model: "m", model_hash: "h", score: 0.9, prompts: [{ label: 1 }] },
    });
    expect(op.kind === "create" && op.value.provenance).toMatchObject({
      window: { col: 0, row: 0, size: 1024 },
      windows: [0, 896].map((col) => ({ col, row: 0, size: 1024 })),
    });
    expect([store.get().draft, store.get().tool]).toEqual([null, "click"]);
    expect(press("Enter")).toBe(false);
    expect(ops).toHaveLength(1);
  });

  it("is cleared by Esc, and by another tool", () => {
    const { store, toolbox, press } = open();
    press("s");
    toolbox.active.down?.(at(10, 10));
    toolbox.active.up?.(at(10, 10));
    expect([press("Escape"), store.get().draft]).toEqual([true, null]);
    toolbox.active.down?.(at(10, 10));
    toolbox.active.up?.(at(10, 10));
    press("v");
    expect(store.get().draft).toBeNull();
  });
});

describe("select", () => {
  it("picks what is under the pointer, and lets go beside it", () => {
    const { toolbox, store } = open();
    map.under = shape.id;
    toolbox.active.click?.(at(1, 1));
    expect(store.get().selected).toBe(shape.id);
    map.under = null;
    toolbox.active.click?.(at(1, 1));
    expect(store.get().selected).toBeNull();
  });

  it("moves the picked shape by a drag; a tremble is no move", () => {
    const { toolbox, ops } = open({ selected: shape.id });
    map.under = shape.id;
    toolbox.active.down?.(at(100, 100));
    toolbox.active.drag?.(at(101, 101));
    toolbox.active.up?.(at(101, 101));
    expect(ops).toEqual([]);
    toolbox.active.down?.(at(100, 100));
    toolbox.active.drag?.(at(350, 100));
    toolbox.active.up?.(at(350, 100));
    expect(JSON.stringify(ops[0])).toContain("[7.25,46]");
  });

  it("does not move shapes in review", () => {
    const { toolbox } = open({ selected: shape.id, review: true });
    map.under = shape.id;
    expect(toolbox.active.down?.(at(100, 100))).toBe(false);
  });
});

describe("undo and redo", () => {
  it("are new changes on what is there now", () => {
    const { press, ops, store } = open({ selected: shape.id });
    press("2");
    press("z", { ctrl: true });
    press("z", { ctrl: true, shift: true });
    expect(ops.map((op) => [op.kind, op.version, op.kind === "edit" ? op.fields.label_class : null])).toEqual([
      ["edit", 1, "field"],
      ["edit", 2, exampleClass().id],
      ["edit", 3, "field"],
    ]);
    expect(new Set(ops.map((op) => op.id)).size).toBe(3);
    expect(store.get().annotations.get(shape.id)?.label_class).toBe("field");
  });

  it("bring a deleted shape back", () => {
    const { press, ops, store } = open({ selected: shape.id });
    press("Delete");
    expect([store.get().annotations.has(shape.id), store.get().selected]).toEqual([false, null]);
    press("z", { ctrl: true });
    expect([ops.map((op) => op.kind), store.get().annotations.has(shape.id)]).toEqual([["delete", "restore"], true]);
  });

  it("end what could be done again with a new change", () => {
    const { press, store } = open({ selected: shape.id });
    press("2");
    press("z", { ctrl: true });
    expect(store.get().redo).toHaveLength(1);
    press("2");
    expect(store.get().redo).toEqual([]);
    expect(press("y", { ctrl: true })).toBe(false);
  });
});

it("one tool is left before the next is entered", () => {
  const { store, press, conversation } = open();
  const clear = vi.spyOn(conversation, "clear");
  press("s");
  expect(clear).not.toHaveBeenCalled();
  store.set({ tool: "polygon" });
  expect(clear).toHaveBeenCalledOnce();
});

describe("the shape just accepted", () => {
  it("is removed with Delete and let go with Esc, without leaving smart click", () => {
    const { press, store, ops } = open({ selected: shape.id });
    press("s");
    expect([press("Escape"), store.get().selected, press("Escape")]).toEqual([true, null, false]);
    store.set({ selected: shape.id });
    expect([press("Delete"), ops.map((op) => op.kind), store.get().tool]).toEqual([true, ["delete"], "click"]);
  });
});
