import { describe, expect, it, vi } from "vitest";
import type { Context } from "../commands/context";
import type { LonLat } from "../geo/lonlat";
import { exampleAnnotation, exampleClass, exampleRaster, exampleUser } from "../protocol/examples";
import { Conversation } from "../segment/conversation";
import { confirm } from "../store/apply";
import type { Op, State } from "../store/state";
import { Store } from "../store/store";
import type { MapPort, Pointer } from "./tool";
import { Toolbox } from "./toolbox";

const me = exampleUser();
const shape = exampleAnnotation({ status: "draft" });

/** One degree is a thousand pixels, north up, from 7 E 47 N. */
const map: MapPort & { under: string | null } = {
  under: null,
  toScreen: ([lon, lat]) => ({ x: (lon - 7) * 1000, y: (47 - lat) * 1000 }),
  toLonLat: ({ x, y }): LonLat => [7 + x / 1000, 47 - y / 1000],
  annotationAt: () => map.under,
};

function open(change: Partial<State> = {}) {
  map.under = null;
  const store = new Store();
  const conversation = new Conversation(store, () => true);
  const ops: Op[] = [];
  const context: Context = {
    store,
    conversation,
    save: (op) => {
      ops.push(op);
      store.addOp(op);
    },
  };
  store.set({
    loaded: true,
    projectId: shape.project,
    me,
    role: "annotator",
    activeRaster: exampleRaster().id,
    classes: [exampleClass(), exampleClass({ id: "field", name: "Field", digit: 2 })],
    ...change,
  });
  store.update((state) => confirm(state, shape));
  const toolbox = new Toolbox(context, map);
  const press = (key: string, more: { ctrl?: boolean; shift?: boolean } = {}) =>
    toolbox.press({ key, ctrl: false, shift: false, ...more });
  return { store, conversation, ops, toolbox, press };
}

function at(x: number, y: number, more: Partial<Pointer> = {}): Pointer {
  return { screen: { x, y }, lonlat: map.toLonLat({ x, y }), shift: false, alt: false, secondary: false, ...more };
}

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
      window: { col: 0, row: 0, size: 1024 },
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

describe("drawing", () => {
  it("makes a polygon of three corners and Enter, and not of two", () => {
    const { press, toolbox, ops, store } = open();
    press("p");
    toolbox.active.click?.(at(0, 0));
    toolbox.active.click?.(at(100, 0));
    press("Enter");
    expect(ops).toEqual([]);
    toolbox.active.click?.(at(100, 100));
    press("Enter");
    expect(ops).toHaveLength(1);
    const op = ops[0]!;
    expect(op.kind === "create" && op.value.geometry).toMatchObject({ type: "Polygon" });
    expect(op.kind === "create" && op.value.provenance.kind).toBe("drawn");
    expect(store.get().sketch).toBeNull();
  });

  it("closes with a click on the first corner", () => {
    const { press, toolbox, ops } = open();
    press("p");
    for (const [x, y] of [
      [0, 0],
      [100, 0],
      [100, 100],
      [4, 3],
    ] as const) {
      toolbox.active.click?.(at(x, y));
    }
    expect(ops).toHaveLength(1);
  });

  it("takes the last corner back with Z and everything with Esc", () => {
    const { press, toolbox, store } = open();
    press("p");
    toolbox.active.click?.(at(0, 0));
    toolbox.active.click?.(at(100, 0));
    press("z");
    expect(store.get().sketch?.points).toHaveLength(1);
    press("Escape");
    expect(store.get().sketch).toBeNull();
  });

  it("of a line needs a line class", () => {
    const { press, toolbox, ops } = open();
    press("l");
    toolbox.active.click?.(at(0, 0));
    toolbox.active.click?.(at(100, 0));
    press("Enter");
    expect(ops).toEqual([]);
  });
});

describe("editing vertices", () => {
  it("moves the one that is dragged, as one change", () => {
    const { press, toolbox, ops } = open({ selected: shape.id });
    press("e");
    const corner = map.toScreen([7.001, 46.001]);
    toolbox.active.down?.(at(corner.x + 2, corner.y));
    toolbox.active.drag?.(at(50, 900, { alt: true }));
    toolbox.active.drag?.(at(60, 910, { alt: true }));
    toolbox.active.up?.(at(60, 910, { alt: true }));
    expect(ops).toHaveLength(1);
    const op = ops[0]!;
    expect(JSON.stringify(op.kind === "edit" && op.fields.geometry)).toContain("[7.06,46.09]");
    expect(op.kind === "edit" && op.before.geometry).toEqual(shape.geometry);
  });

  it("leaves a shape alone that the user may not change", () => {
    const accepted = { ...shape, version: 2, status: "accepted" as const };
    const { press, toolbox, ops, store } = open({ selected: shape.id });
    store.update((state) => confirm(state, accepted));
    press("e");
    const corner = map.toScreen([7.001, 46.001]);
    expect(toolbox.active.down?.(at(corner.x, corner.y))).toBe(false);
    expect(press("Delete")).toBe(false);
    expect(ops).toEqual([]);
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
  clear.mockClear();
  store.set({ tool: "polygon" });
  expect(clear).toHaveBeenCalled();
});
