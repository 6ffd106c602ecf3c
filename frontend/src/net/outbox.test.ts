import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Annotation } from "../protocol/entities";
import { exampleAnnotation } from "../protocol/examples";
import { ApiError } from "./http";
import { Outbox, type OutboxEvents } from "./outbox";

interface Op {
  readonly id: string;
}
const row = exampleAnnotation();
const KEY = "outbox";

function memory(): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  const kept = new Map<string, string>();
  return {
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
    expect(storage.getItem(KEY)).toBeNull();
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
    expect(storage.getItem(KEY)).toBeNull();
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
    expect(storage.getItem(KEY)).toBe('[{"id":"a"},{"id":"b"}]');
    const left = outbox.resolve((queue) => queue.map((op) => (op.id === "a" ? { id: "a2" } : op)));
    expect(left).toEqual([{ id: "a2" }, { id: "b" }]);
    await settle();
    expect(sentIds(events)).toEqual(["a", "a2", "b"]);
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
    storage.setItem(KEY, '[{"id":"a"}]');
    const { outbox, events } = open([], storage);
    events.send.mockRejectedValueOnce(new TypeError("bug"));
    outbox.restore();
    await expect(outbox.run()).rejects.toThrow("bug");
    expect(events.busy).toHaveBeenLastCalledWith(false);
    await outbox.run();
    expect(events.saved).toHaveBeenCalledOnce();
  });
});
