import { beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../net/http";
import type { ProjectEvent } from "../protocol/entities";
import { Store } from "../store/store";
import { Follower, type EventSource } from "./follower";

const event = (seq: number): ProjectEvent => ({
  seq,
  kind: "project.changed",
  at: "2026-05-10T10:00:00Z",
  actor: null,
  data: {},
});

/** A server with events 1 to `last`, which tells at most three at once. */
function open(last: number) {
  const store = new Store();
  const server = { last, failures: [] as Error[] };
  const fetchSince = vi.fn<EventSource["fetchSince"]>((seq) => {
    const failure = server.failures.shift();
    if (failure !== undefined) return Promise.reject(failure);
    const events = [seq + 1, seq + 2, seq + 3].filter((one) => one <= server.last).map(event);
    return Promise.resolve({ events, seq: server.last });
  });
  const applied: number[] = [];
  const failed = vi.fn();
  const source: EventSource = {
    fetchSince,
    followed: (events) => applied.push(...events.map((one) => one.seq)),
    failed,
  };
  return { store, server, fetchSince, applied, failed, follower: new Follower(store, source) };
}

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

describe("following events", () => {
  it("applies what comes in order, asking nothing", () => {
    const { follower, applied, fetchSince } = open(0);
    for (const seq of [1, 2, 3]) follower.hear(event(seq));
    follower.hear(event(2));
    expect([applied, fetchSince.mock.calls.length]).toEqual([[1, 2, 3], 0]);
  });

  it("fills a gap from the server, page by page, each event once and in order", async () => {
    const { follower, applied, store } = open(8);
    follower.hear(event(8));
    await vi.advanceTimersByTimeAsync(0);
    expect(applied).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(store.get().seq).toBe(8);
  });

  it("misses nothing that is told while the gap is being filled", async () => {
    const { follower, server, applied } = open(3);
    follower.hearOf(3);
    server.last = 5;
    follower.hear(event(4));
    follower.hear(event(5));
    await vi.advanceTimersByTimeAsync(0);
    expect(applied).toEqual([1, 2, 3, 4, 5]);
  });

  it("asks again while the server cannot answer", async () => {
    const { follower, server, applied, failed } = open(2);
    server.failures = [new ApiError("net", "away", 0), new ApiError("x", "busy", 503)];
    follower.hearOf(2);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(applied).toEqual([1, 2]);
    expect(failed).not.toHaveBeenCalled();
  });

  it("says so when the server refuses, and tries again at the next word", async () => {
    const { follower, server, applied, failed } = open(2);
    server.failures = [new ApiError("project.not_found", "Gone.", 404)];
    follower.hearOf(2);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(failed).toHaveBeenCalledOnce();
    expect(applied).toEqual([]);
    follower.hearOf(2);
    await vi.advanceTimersByTimeAsync(0);
    expect(applied).toEqual([1, 2]);
  });

  it("applies nothing any more once the project is closed", async () => {
    const { follower, applied } = open(2);
    follower.hearOf(2);
    follower.end();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(applied).toEqual([]);
  });
});
