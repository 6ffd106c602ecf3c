import { describe, expect, it } from "vitest";
import { confirm } from "../store/apply";
import { at, map, open, shape } from "./testing";

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

describe("drawing with a double click", () => {
  const corners = [at(0, 0), at(100, 0), at(100, 100)];

  it("ends the polygon with each corner once", () => {
    const { press, toolbox, ops } = open();
    press("p");
    for (const pointer of [...corners, at(0, 100), at(1, 100)]) toolbox.active.click?.(pointer);
    toolbox.active.doubleClick?.(at(1, 100));
    const op = ops[0]!;
    expect(
      op.kind === "create" && op.value.geometry.type === "Polygon" && op.value.geometry.coordinates[0],
    ).toHaveLength(5);
  });

  it("makes nothing of two corners", () => {
    const { press, toolbox, ops, store } = open();
    press("p");
    for (const pointer of [at(0, 0), at(100, 0), at(100, 1)]) toolbox.active.click?.(pointer);
    toolbox.active.doubleClick?.(at(100, 1));
    expect([ops, store.get().sketch?.points.length]).toEqual([[], 2]);
  });
});

it("a drawing that crosses itself stays on the map to be corrected", () => {
  const { press, toolbox, ops, store } = open();
  press("p");
  for (const pointer of [at(0, 0), at(100, 0), at(0, 100), at(100, 100)]) toolbox.active.click?.(pointer);
  press("Enter");
  expect([ops, store.get().sketch?.points.length]).toEqual([[], 4]);
  expect(store.get().notice).toMatchObject({ text: "crossesItself" });
});

describe("a vertex dragged while a teammate changes the shape", () => {
  it("is sent on the version it was taken up on", () => {
    const { press, toolbox, ops, store } = open({ selected: shape.id });
    press("e");
    const corner = map.toScreen([7.001, 46.001]);
    toolbox.active.down?.(at(corner.x, corner.y));
    toolbox.active.drag?.(at(60, 910, { alt: true }));
    store.update((state) => confirm(state, { ...shape, version: 2, label_class: "field" }));
    toolbox.active.up?.(at(60, 910, { alt: true }));
    expect(ops.map((op) => op.version)).toEqual([1]);
  });

  it("goes back with Esc", () => {
    const { press, toolbox, ops, store } = open({ selected: shape.id });
    press("e");
    const corner = map.toScreen([7.001, 46.001]);
    toolbox.active.down?.(at(corner.x, corner.y));
    toolbox.active.drag?.(at(60, 910));
    expect([press("Escape"), store.get().editing, store.get().tool]).toEqual([true, null, "edit"]);
    toolbox.active.up?.(at(60, 910));
    expect(ops).toEqual([]);
  });
});

describe("measuring", () => {
  it("is open to a viewer, and saves nothing", () => {
    const { press, toolbox, store, ops } = open({ role: "viewer" });
    press("m");
    expect(store.get().tool).toBe("measure");
    for (const pointer of [at(0, 0), at(100, 0), at(100, 100)]) toolbox.active.click?.(pointer);
    toolbox.active.move?.(at(50, 50));
    expect(store.get().sketch).toMatchObject({ kind: "measure", pointer: [7.05, 46.95] });
    press("Enter");
    expect(store.get().sketch).toMatchObject({ done: "open", pointer: null });
    toolbox.active.move?.(at(70, 50));
    expect(store.get().sketch?.pointer).toBeNull();
    expect(ops).toEqual([]);
  });

  it("becomes an area on its first point, goes on with Z, begins anew with a click", () => {
    const { press, toolbox, store } = open();
    press("m");
    for (const pointer of [at(0, 0), at(100, 0), at(100, 100), at(3, 2)]) toolbox.active.click?.(pointer);
    expect(store.get().sketch).toMatchObject({ done: "closed" });
    expect(store.get().sketch?.points).toHaveLength(3);
    press("z");
    expect(store.get().sketch?.done).toBeUndefined();
    expect(store.get().sketch?.points).toHaveLength(2);
    press("Enter");
    toolbox.active.click?.(at(300, 300));
    expect(store.get().sketch?.points).toHaveLength(1);
    press("v");
    expect(store.get().sketch).toBeNull();
  });
});
