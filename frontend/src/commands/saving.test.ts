import { beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../net/http";
import type { Annotation } from "../protocol/entities";
import { exampleAnnotation, exampleClass, exampleUser } from "../protocol/examples";
import { Conversation } from "../segment/conversation";
import { confirm } from "../store/apply";
import { withOp } from "../store/reconcile";
import type { Op } from "../store/state";
import { Store } from "../store/store";
import type { Context } from "./context";
import { changeAttributes, changeClass, changeGeometry } from "./edit";
import { undo } from "./history";
import { setStatus } from "./review";
import { Saving } from "./saving";

const me = exampleUser();
const shape = exampleAnnotation({ status: "draft", author: me, updated_by: me, attributes: { roof: "flat" } });
const field = exampleClass({ id: "00000000-0000-4000-8000-0000000000c2", name: "Field" });
const mover = (geometry: Annotation["geometry"], by: number): Annotation["geometry"] =>
  geometry.type === "Polygon"
    ? { type: "Polygon", coordinates: geometry.coordinates.map((ring) => ring.map(([x = 0, y = 0]) => [x + by, y])) }
    : geometry;

type Fit = (geometry: Annotation["geometry"]) => Annotation["geometry"];

/** A server with one shape, guarded by its version as the real one is; a teammate can change it behind our back. */
function open() {
  localStorage.clear();
  const server = { row: shape, answers: [] as ApiError[], said: [] as Op[], fit: null as Fit | null };
  const send = (op: Op): Promise<Annotation> => {
    server.said.push(op);
    const failure = server.answers.shift();
    if (failure !== undefined) return Promise.reject(failure);
    if (op.version !== server.row.version) {
      return Promise.reject(new ApiError("annotation.conflict", "Changed.", 409, { current: server.row }));
    }
    const row = withOp(server.row, op) ?? server.row;
    const geometry = op.kind === "edit" && server.fit !== null ? server.fit(row.geometry) : row.geometry;
    server.row = { ...row, geometry, updated_by: me };
    return Promise.resolve(server.row);
  };
  const store = new Store();
  store.set({ me, role: "annotator", classes: [exampleClass(), field], projectId: shape.project });
  store.update((state) => confirm(state, shape));
  const context: Context = {
    store,
    conversation: new Conversation(store, () => true),
    save: (op) => saving.save(op),
  };
  const saving: Saving = new Saving(context, shape.project, me.id, send);
  const teammate = (change: Partial<Annotation>, heard = true) => {
    const by = { id: "00000000-0000-4000-8000-0000000000a9", display_name: "Rita" };
    server.row = { ...server.row, ...change, version: server.row.version + 1, updated_by: by };
    if (heard) store.update((state) => confirm(state, server.row));
  };
  const seen = () => store.get().annotations.get(shape.id)!;
  return { server, store, context, saving, teammate, seen };
}
const settle = () => vi.advanceTimersByTimeAsync(30_000);

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

describe("saving", () => {
  it("shows a change at once, and has it acknowledged", async () => {
    const { context, seen, store, server } = open();
    changeClass(context, shape.id, field.id);
    expect([seen().label_class, store.get().outbox.length]).toEqual([field.id, 1]);
    await settle();
    expect([server.row.label_class, server.row.version, store.get().outbox.length]).toEqual([field.id, 2, 0]);
    expect(store.get().confirmed.get(shape.id)).toEqual(server.row);
  });

  it("merges by itself what a teammate did to another side of the shape", async () => {
    const { context, teammate, server, store } = open();
    teammate({ label_class: field.id }, false);
    const moved = mover(shape.geometry, 0.5);
    changeGeometry(context, shape, moved);
    await settle();
    expect([server.row.label_class, server.row.geometry, server.row.version]).toEqual([field.id, moved, 3]);
    expect(store.get().conflict).toBeNull();
  });

  it("asks which version stays when both changed the outline, and loses neither before", async () => {
    const { context, teammate, server, store, saving, seen } = open();
    const theirs = mover(shape.geometry, -0.5);
    const mine = mover(shape.geometry, 0.5);
    teammate({ geometry: theirs }, false);
    changeGeometry(context, shape, mine);
    await settle();
    expect(store.get().conflict).toMatchObject({ mine: { geometry: mine }, theirs: { geometry: theirs } });
    expect(server.row.geometry).toEqual(theirs);
    saving.resolve("mine");
    await settle();
    expect([server.row.geometry, seen().geometry, store.get().conflict]).toEqual([mine, mine, null]);
  });

  it("takes theirs, and all of mine on that shape back", async () => {
    const { context, teammate, server, store, saving, seen } = open();
    const theirs = mover(shape.geometry, -0.5);
    teammate({ geometry: theirs }, false);
    changeGeometry(context, shape, mover(shape.geometry, 0.5));
    changeClass(context, shape.id, field.id);
    await settle();
    saving.resolve("theirs");
    await settle();
    expect([seen().geometry, seen().label_class, store.get().outbox]).toEqual([theirs, shape.label_class, []]);
    expect(server.row.version).toBe(2);
  });

  it("a change begun before a teammate's and finished after it is a conflict, not an overwriting", async () => {
    const { context, teammate, server, store } = open();
    const theirs = mover(shape.geometry, -0.5);
    teammate({ geometry: theirs });
    changeGeometry(context, shape, mover(shape.geometry, 0.5));
    await settle();
    expect([server.row.geometry, store.get().conflict?.theirs.geometry]).toEqual([theirs, theirs]);
  });

  it("rolls a refused change back with those made on it, and forgets their steps", async () => {
    const { context, server, store, seen } = open();
    server.answers = [new ApiError("annotation.invalid_geometry", "It crosses itself.", 422)];
    changeGeometry(context, shape, mover(shape.geometry, 0.5));
    changeClass(context, shape.id, field.id);
    await settle();
    expect(seen()).toEqual(shape);
    expect([server.row, store.get().undo, store.get().outbox]).toEqual([shape, [], []]);
    expect(store.get().notice).toMatchObject({ message: "It crosses itself." });
    expect(store.get().refused).toBe(1);
  });

  it("keeps the steps when only a status was refused", async () => {
    const { context, server, store } = open();
    changeClass(context, shape.id, field.id);
    await settle();
    server.answers = [new ApiError("annotation.invalid", "Roof is needed.", 422)];
    setStatus(context, shape.id, "submitted");
    await settle();
    expect([store.get().undo.length, server.row.status]).toEqual([1, "draft"]);
  });

  it("is silent after the project was closed, but goes on sending", async () => {
    const { context, saving, server, store } = open();
    changeClass(context, shape.id, field.id);
    saving.end();
    store.reset();
    await settle();
    expect([server.row.label_class, store.get().confirmed.size]).toEqual([field.id, 0]);
  });
});

describe("undo", () => {
  it("leaves alone what a teammate has changed since, and says so", async () => {
    const { context, teammate, server, store } = open();
    changeAttributes(context, shape.id, { roof: "gable" });
    await settle();
    teammate({ attributes: { roof: "hip" } });
    expect(undo(context)).toBe(true);
    await settle();
    expect([server.row.attributes, store.get().undo]).toEqual([{ roof: "hip" }, []]);
    expect(store.get().notice).toMatchObject({ text: "changedSince" });
  });

  it("takes one's own change back where a teammate changed something else, and however the ring turns", async () => {
    const { context, teammate, server } = open();
    const moved = mover(shape.geometry, 0.5);
    changeGeometry(context, shape, moved);
    await settle();
    const turned =
      moved.type === "Polygon"
        ? { ...moved, coordinates: moved.coordinates.map((ring) => [...ring].reverse()) }
        : moved;
    teammate({ label_class: field.id, geometry: turned });
    undo(context);
    await settle();
    expect([server.row.geometry, server.row.label_class]).toEqual([shape.geometry, field.id]);
  });

  it("lets undo take back an edit whose shape the server fitted to its neighbours", async () => {
    const { context, server, seen, store } = open();
    server.fit = (geometry) => mover(geometry, 0.25);
    changeGeometry(context, shape, mover(shape.geometry, 1));
    await settle();
    expect(seen().geometry).toEqual(mover(mover(shape.geometry, 1), 0.25));
    server.fit = null;

    expect(undo(context)).toBe(true);
    await settle();

    expect(store.get().notice).toBeNull();
    expect(server.row.geometry).toEqual(shape.geometry);
  });
});
