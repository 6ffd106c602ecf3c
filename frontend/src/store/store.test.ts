import { describe, expect, it } from "vitest";
import type { Annotation, ProjectEvent } from "../protocol/entities";
import { exampleAnnotation, exampleClass, exampleRaster, exampleUser } from "../protocol/examples";
import { apply, confirm } from "./apply";
import { rebased, withReplacement } from "./rebase";
import { effective } from "./reconcile";
import { EMPTY, type Op, type State } from "./state";
import { Store } from "./store";

const shape = exampleAnnotation({ version: 1, status: "draft", attributes: { roof: "flat" } });
const id = shape.id;

function event(seq: number, kind: string, data: ProjectEvent["data"]): ProjectEvent {
  return { seq, kind, at: "2026-05-10T10:00:00Z", actor: null, data };
}

function editOp(fields: Extract<Op, { kind: "edit" }>["fields"], version = 1, opId = "op1"): Op {
  return {
    id: opId,
    annotation: id,
    version,
    kind: "edit",
    fields,
    before: { attributes: shape.attributes, label_class: shape.label_class, geometry: shape.geometry },
  };
}

describe("an event", () => {
  const start: State = { ...EMPTY, seq: 4 };

  it("that is known already changes nothing", () => {
    expect(apply(start, event(4, "annotation.created", { annotation: shape }))).toBe(start);
  });

  it("adds, changes and removes a shape", () => {
    const created = apply(start, event(5, "annotation.created", { annotation: shape }));
    expect([created.seq, created.annotations.get(id)?.version]).toEqual([5, 1]);
    const changed = apply(created, event(6, "annotation.updated", { annotation: { ...shape, version: 2 } }));
    expect(changed.annotations.get(id)?.version).toBe(2);
    const deleted = { ...shape, version: 3, deleted: true };
    const gone = apply(changed, event(7, "annotation.deleted", { annotation: deleted }));
    expect([gone.annotations.has(id), gone.confirmed.get(id)?.deleted]).toEqual([false, true]);
    const back = apply(gone, event(8, "annotation.restored", { annotation: { ...shape, version: 4 } }));
    expect(back.annotations.get(id)?.version).toBe(4);
  });

  it("older than what is known leaves the newer version", () => {
    const newer = confirm(start, { ...shape, version: 5 });
    const after = apply(newer, event(5, "annotation.updated", { annotation: { ...shape, version: 3 } }));
    expect([after.seq, after.annotations.get(id)?.version]).toEqual([5, 5]);
  });

  it("leaves shapes it is not about as they are, the very same", () => {
    const other = exampleAnnotation({ id: "00000000-0000-4000-8000-0000000000f2" });
    const before = confirm(start, other);
    const after = apply(before, event(5, "annotation.created", { annotation: shape }));
    expect(after.annotations.get(other.id)).toBe(before.annotations.get(other.id));
  });

  it("keeps classes in their order", () => {
    const second = exampleClass({ id: "00000000-0000-4000-8000-0000000000c2", order: 1 });
    const first = exampleClass({ order: 0 });
    let state = apply(start, event(5, "class.created", { label_class: second }));
    state = apply(state, event(6, "class.created", { label_class: first }));
    expect(state.classes.map((one) => one.order)).toEqual([0, 1]);
    state = apply(state, event(7, "class.deleted", { id: second.id }));
    expect(state.classes.map((one) => one.id)).toEqual([first.id]);
  });

  it("follows rasters and members", () => {
    let state = apply(start, event(5, "raster.created", { raster: exampleRaster({ state: "inspecting" }) }));
    state = apply(state, event(6, "raster.changed", { raster: exampleRaster() }));
    expect(state.rasters.map((one) => one.state)).toEqual(["viewable"]);
    const member = { user: exampleUser(), role: "viewer", joined_at: "2026-05-10T10:00:00Z" };
    state = apply(state, event(7, "member.joined", { member }));
    state = apply(state, event(8, "member.changed", { member: { ...member, role: "owner" } }));
    expect(state.members.map((one) => one.role)).toEqual(["owner"]);
    state = apply(state, event(9, "member.left", { user: { id: member.user.id } }));
    expect(state.members).toEqual([]);
  });

  it("that removes a raster leaves its annotations without one, as the server does", () => {
    const raster = exampleRaster();
    let state = apply(start, event(5, "raster.created", { raster }));
    state = apply(state, event(6, "annotation.created", { annotation: { ...shape, raster: raster.id } }));
    state = apply(state, event(7, "raster.deleted", { id: raster.id }));
    expect([state.rasters, state.annotations.get(id)?.raster, state.confirmed.get(id)?.raster]).toEqual([
      [],
      null,
      null,
    ]);
  });

  it("about one member keeps the others where they are", () => {
    const members = ["a1", "a3"].map((end) => ({
      user: exampleUser({ id: `00000000-0000-4000-8000-0000000000${end}` }),
      role: "viewer" as const,
      joined_at: "2026-05-10T10:00:00Z",
    }));
    const member = { ...members[0]!, role: "owner" as const };
    const after = apply({ ...start, members }, event(5, "member.changed", { member }));
    expect(after.members).toEqual([member, members[1]]);
  });

  it("of an unknown kind only counts", () => {
    expect(apply(start, event(5, "moon.landed", {}))).toEqual({ ...start, seq: 5 });
  });

  it("that is malformed is an error and counts as not heard", () => {
    expect(() => apply(start, event(5, "annotation.created", { annotation: { id } }))).toThrow();
  });

  it("all events give the same state as the last versions of all shapes", () => {
    const versions: Annotation[] = [1, 2, 3, 4].map((version) => ({ ...shape, version, area_m2: version }));
    const replayed = versions
      .map((annotation, index) => event(5 + index, "annotation.updated", { annotation }))
      .reduce(apply, start);
    expect(replayed.annotations).toEqual(confirm(start, versions.at(-1)!).annotations);
  });
});

describe("a change on its way", () => {
  function storeWith(...ops: Op[]): Store {
    const store = new Store();
    store.update((state) => confirm(state, shape));
    for (const op of ops) store.addOp(op);
    return store;
  }
  const seen = (store: Store) => store.get().annotations.get(id);

  it("is seen at once, counts as the next version, and is gone when refused", () => {
    const store = storeWith(editOp({ attributes: { roof: "gable" } }));
    expect([seen(store)?.attributes, seen(store)?.version]).toEqual([{ roof: "gable" }, 2]);
    store.dropOp("op1");
    expect(seen(store)).toEqual(shape);
  });

  it("stays over an event that comes in between", () => {
    const store = storeWith(editOp({ attributes: { roof: "gable" } }));
    const theirs = { ...shape, version: 2, status: "submitted" as const };
    store.update((state) => apply(state, event(1, "annotation.status_changed", { annotation: theirs })));
    expect([seen(store)?.attributes, seen(store)?.status]).toEqual([{ roof: "gable" }, "submitted"]);
  });

  it("of deletion hides the shape, of creation shows it", () => {
    const store = storeWith({ id: "op2", annotation: id, version: 1, kind: "delete" });
    expect(seen(store)).toBeUndefined();
    expect(effective(store.get(), id)?.deleted).toBe(true);
    const fresh = exampleAnnotation({ id: "00000000-0000-4000-8000-0000000000f3" });
    store.addOp({ id: "op3", annotation: fresh.id, version: 0, kind: "create", value: fresh });
    expect(store.get().annotations.get(fresh.id)).toEqual(fresh);
  });

  it("tells listeners, and only when something changed", () => {
    const store = storeWith();
    let told = 0;
    const end = store.subscribe(() => (told += 1));
    store.update((state) => state);
    store.dropOp("no such");
    expect(told).toBe(0);
    store.set({ tool: "edit" });
    expect(told).toBe(1);
    end();
    store.set({ tool: "select" });
    expect(told).toBe(1);
  });
});

describe("two changes that meet", () => {
  const theirs = (change: Partial<Annotation>): Annotation => ({ ...shape, version: 2, ...change });
  const moved = { type: "Point" as const, coordinates: [7, 46] };

  it("stand side by side when they touch different things", () => {
    const again = rebased(editOp({ geometry: moved }), theirs({ attributes: { roof: "hip" } }), "op9");
    expect(again).toMatchObject({ id: "op9", version: 2, fields: { geometry: moved } });
  });

  it("of attributes are merged key by key", () => {
    const mine = editOp({ attributes: { roof: "flat", storeys: 2 } });
    const again = rebased(mine, theirs({ attributes: { roof: "hip" } }), "op9");
    expect(again).toMatchObject({ fields: { attributes: { roof: "hip", storeys: 2 } } });
    const removed = rebased(editOp({ attributes: {} }), theirs({ attributes: { roof: "flat", note: "x" } }), "op9");
    expect(removed).toMatchObject({ fields: { attributes: { note: "x" } } });
  });

  it("need a person when they touch the same thing differently", () => {
    expect(
      rebased(editOp({ geometry: moved }), theirs({ geometry: { ...moved, coordinates: [8, 46] } }), "x"),
    ).toBeNull();
    expect(rebased(editOp({ attributes: { roof: "gable" } }), theirs({ attributes: { roof: "hip" } }), "x")).toBeNull();
    expect(rebased(editOp({ geometry: moved }), theirs({ deleted: true }), "x")).toBeNull();
    expect(rebased({ id: "d", annotation: id, version: 1, kind: "delete" }, theirs({}), "x")).toBeNull();
  });

  it("agree when both did the same", () => {
    expect(rebased(editOp({ geometry: moved }), theirs({ geometry: moved }), "x")).not.toBeNull();
  });

  it("never accept what was not seen", () => {
    const op = (status: "accepted" | "submitted"): Op => ({
      id: "s",
      annotation: id,
      version: 1,
      kind: "status",
      status,
      before: "draft",
      comment: "",
    });
    expect(rebased(op("accepted"), theirs({}), "x")).toBeNull();
    expect(rebased(op("submitted"), theirs({}), "x")).toMatchObject({ version: 2, status: "submitted" });
    expect(rebased(op("submitted"), theirs({ status: "accepted" }), "x")).toBeNull();
  });

  it("number the later changes of that shape after the one that is made again", () => {
    const other = { ...editOp({}, 7, "o"), annotation: "other" };
    const queue = [editOp({}, 1, "a"), other, editOp({}, 2, "b"), editOp({}, 3, "c")];
    const next = withReplacement(queue, "a", editOp({}, 5, "a2"));
    expect(next.map((op) => [op.id, op.version])).toEqual([
      ["a2", 5],
      ["o", 7],
      ["b", 6],
      ["c", 7],
    ]);
  });
});

describe("however events, answers and repetitions interleave", () => {
  let seed = 5;
  const random = (below: number) => (seed = (seed * 16807) % 2147483647) % below;

  it("the state ends as a fresh fetch would have it", () => {
    for (let round = 0; round < 200; round += 1) {
      // What happened: three shapes, each changed, deleted and brought back at random.
      const rows = new Map<string, Annotation>();
      const story: ProjectEvent[] = [];
      for (let seq = 1; seq <= 25; seq += 1) {
        const which = `00000000-0000-4000-8000-0000000000d${random(3)}`;
        const old = rows.get(which);
        const row: Annotation =
          old === undefined
            ? { ...shape, id: which, version: 1 }
            : { ...old, version: old.version + 1, area_m2: seq, deleted: random(4) === 0 };
        rows.set(which, row);
        story.push(event(seq, "annotation.updated", { annotation: row }));
      }
      // How it is heard: answers before, between and after the events, events again and again, and some fetched once more.
      let state: State = EMPTY;
      let next = 0;
      while (next < story.length) {
        const any = story[random(story.length)]!;
        switch (random(4)) {
          case 0:
            state = confirm(state, any.data["annotation"] as Annotation);
            break;
          case 1:
            state = story.slice(random(story.length), next).reduce(apply, state);
            break;
          default:
            state = apply(state, story[next]!);
            next += 1;
        }
      }
      const fresh = [...rows.values()].filter((row) => !row.deleted).map((row) => [row.id, row] as const);
      expect(new Map(state.annotations)).toEqual(new Map(fresh));
      expect(state.seq).toBe(25);
    }
  });
});
