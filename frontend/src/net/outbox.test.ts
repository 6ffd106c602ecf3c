import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Annotation } from "../protocol/entities";
import { exampleAnnotation } from "../protocol/examples";
import { ApiError } from "./http";
import { Outbox, type OutboxEvents } from "./outbox";
import { Shelf, type ShelfStorage } from "./shelf";

interface Op {
  readonly id: string;
}
const row = exampleAnnotation();
const KEY = "outbox";

function memory(): ShelfStorage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    key: (index) => [...kept.keys()][index] ?? null,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

/** A server that answers each try in turn: an annotation, or an error. */
function open(answers: (Annotation | ApiError)[], storage = memory()) {
  const events = {
    send: vi.fn<OutboxEvents<Op>["send"]>(() => {
      const answer = answers.shift() ?? row;
      return answer instanceof ApiError ? Promise.reject(answer) : Promise.resolve(answer);
    }),
    saved: vi.fn<OutboxEvents<Op>["saved"]>(),
    refused: vi.fn<OutboxEvents<Op>["refused"]>(),
    conflict: vi.fn<OutboxEvents<Op>["conflict"]>(),
    busy: vi.fn<OutboxEvents<Op>["busy"]>(),
  };
  return { outbox: new Outbox<Op>(storage, KEY, events), events, storage };
}
const sentIds = (events: { send: ReturnType<typeof vi.fn> }) => events.send.mock.calls.map(([op]) => (op as Op).id);
const lying = (storage: ShelfStorage) => new Shelf<Op>(storage, KEY).read().map((op) => op.id);
const settle = () => vi.advanceTimersByTimeAsync(60_000);

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

describe("the outbox", () => {
  it("sends in order, one at a time, and forgets what is acknowledged", async () => {
    const { outbox, events, storage } = open([]);
    outbox.add({ id: "a" });
    outbox.add({ id: "b" });
    expect(sentIds(events)).toEqual(["a"]);
    await settle();
    expect(sentIds(events)).toEqual(["a", "b"]);
    expect(events.saved).toHaveBeenCalledTimes(2);
    expect(events.busy).toHaveBeenLastCalledWith(false);
    expect(lying(storage)).toEqual([]);
  });

  it.each([0, 401, 429, 500, 503])("tries again after status %d, the same change under the same id", async (status) => {
    const { outbox, events } = open([new ApiError("x", "later", status), new ApiError("x", "later", status), row]);
    outbox.add({ id: "a" });
    await settle();
    expect(sentIds(events)).toEqual(["a", "a", "a"]);
    expect(events.refused).not.toHaveBeenCalled();
    expect(events.saved).toHaveBeenCalledOnce();
  });

  it("waits longer each time, and goes on at once when told that the connection is back", async () => {
    const { outbox, events } = open(Array.from({ length: 9 }, () => new ApiError("net", "away", 0)));
    outbox.add({ id: "a" });
    await vi.advanceTimersByTimeAsync(4000);
    const before = events.send.mock.calls.length;
    expect(before).toBeLessThan(7);
    outbox.retryNow();
    await vi.advanceTimersByTimeAsync(0);
    expect(events.send.mock.calls.length).toBe(before + 1);
  });

  it("keeps what is not acknowledged over a reload", async () => {
    const storage = memory();
    const first = open([new ApiError("net", "away", 0)], storage);
    first.outbox.add({ id: "a" });
    first.outbox.add({ id: "b" });
    const second = open([], storage);
    expect(second.outbox.restore()).toEqual([{ id: "a" }, { id: "b" }]);
    await second.outbox.run();
    expect(sentIds(second.events)).toEqual(["a", "b"]);
    expect(lying(storage)).toEqual([]);
  });

  it("hands a refused change back and goes on with the next", async () => {
    const { outbox, events } = open([new ApiError("annotation.invalid", "No.", 422)]);
    outbox.add({ id: "a" });
    outbox.add({ id: "b" });
    await settle();
    expect(events.refused.mock.calls.map(([op]) => op.id)).toEqual(["a"]);
    expect(events.saved.mock.calls.map(([op]) => op.id)).toEqual(["b"]);
  });

  it("stands still on a conflict until it is resolved, losing nothing", async () => {
    const conflict = new ApiError("annotation.conflict", "Changed.", 409, { current: row });
    const { outbox, events, storage } = open([conflict]);
    outbox.add({ id: "a" });
    outbox.add({ id: "b" });
    await settle();
    expect(events.conflict).toHaveBeenCalledExactlyOnceWith({ id: "a" }, row);
    expect(sentIds(events)).toEqual(["a"]);
    expect(lying(storage)).toEqual(["a", "b"]);
    const left = outbox.resolve((queue) => queue.map((op) => (op.id === "a" ? { id: "a2" } : op)));
    expect(left).toEqual([{ id: "a2" }, { id: "b" }]);
    await settle();
    expect(sentIds(events)).toEqual(["a", "a2", "b"]);
    expect(lying(storage)).toEqual([]);
  });

  it("resolved from within the conflict goes on by itself", async () => {
    const conflict = new ApiError("annotation.conflict", "Changed.", 409, {});
    const { outbox, events } = open([conflict]);
    events.conflict.mockImplementation(() => void outbox.resolve(() => [{ id: "again" }]));
    outbox.add({ id: "a" });
    await settle();
    expect(sentIds(events)).toEqual(["a", "again"]);
  });

  it("can be used again after a fault of ours", async () => {
    const storage = memory();
    new Shelf<Op>(storage, KEY).write([{ id: "a" }]);
    const { outbox, events } = open([], storage);
    events.send.mockRejectedValueOnce(new TypeError("bug"));
    outbox.restore();
    await expect(outbox.run()).rejects.toThrow("bug");
    expect(events.busy).toHaveBeenLastCalledWith(false);
    await outbox.run();
    expect(events.saved).toHaveBeenCalledOnce();
  });

  it("of another page of the same person is left alone, and taken over when that page is gone", async () => {
    const storage = memory();
    const away = () => [new ApiError("net", "away", 0)];
    const one = open(away(), storage);
    const other = open(away(), storage);
    one.outbox.add({ id: "a" });
    await vi.advanceTimersByTimeAsync(1);
    other.outbox.add({ id: "b" });
    expect(lying(storage)).toEqual(["a", "b"]);
    await settle();
    expect(lying(storage)).toEqual([]);
    one.events.send.mockImplementation(() => Promise.reject(new ApiError("net", "away", 0)));
    one.outbox.add({ id: "c" });
    const third = open([], storage);
    expect(third.outbox.restore()).toEqual([{ id: "c" }]);
  });

  it("keeps the place of a change that is replaced", async () => {
    const conflict = new ApiError("annotation.conflict", "Changed.", 409, {});
    const { outbox, storage } = open([conflict]);
    for (const id of ["a", "b", "c"]) outbox.add({ id });
    await vi.advanceTimersByTimeAsync(0);
    const away = new ApiError("net", "away", 0);
    const later = open([away], storage);
    outbox.resolve((queue) => queue.map((op) => (op.id === "b" ? { id: "b2" } : op)));
    expect(later.outbox.restore().map((op) => op.id)).toEqual(["a", "b2", "c"]);
  });

  it("sends also when the browser's storage is full", async () => {
    const storage = memory();
    const full = vi.spyOn(storage, "setItem").mockImplementation(() => {
      throw new DOMException("full", "QuotaExceededError");
    });
    const { outbox, events } = open([], storage);
    outbox.add({ id: "a" });
    await settle();
    expect(full).toHaveBeenCalled();
    expect(events.saved).toHaveBeenCalledOnce();
  });
});
