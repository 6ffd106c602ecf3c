import { act, renderHook } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { useUploads } from "./uploads";

interface Begun {
  readonly file: File;
  readonly options: {
    readonly metadata: Record<string, string>;
    readonly endpoint: string;
    readonly onAfterResponse?: (request: unknown, response: { getHeader: (name: string) => string | null }) => void;
    readonly onProgress?: (sent: number) => void;
    readonly onSuccess: () => void;
    readonly onError: (error: Error) => void;
  };
  readonly start: ReturnType<typeof vi.fn>;
  readonly abort: ReturnType<typeof vi.fn>;
}

const begun = vi.hoisted((): Begun[] => []);

vi.mock("tus-js-client", () => ({
  DetailedError: class extends Error {},
  Upload: class {
    readonly start = vi.fn();
    readonly abort = vi.fn(() => Promise.resolve());
    readonly findPreviousUploads = () => Promise.resolve([]);
    readonly resumeFromPreviousUpload = vi.fn();
    constructor(
      readonly file: File,
      readonly options: Begun["options"],
    ) {
      begun.push(this);
    }
  },
}));

const settled = () => act(() => Promise.resolve());
const answer = (raster: string | null) => ({ getHeader: () => raster });

beforeEach(() => {
  begun.length = 0;
});

describe("uploads", () => {
  it("send a sidecar once its raster has a card, and only once", async () => {
    const { result } = renderHook(() => useUploads("p1"));
    act(() => result.current.add([new File(["x"], "a.tif"), new File(["y"], "a.tfw")]));
    await settled();
    expect(begun.map((one) => one.options.metadata)).toEqual([{ filename: "a.tif" }]);
    expect(begun[0]!.options.endpoint).toBe("/api/projects/p1/uploads");
    act(() => begun[0]!.options.onAfterResponse!(null, answer("r1")));
    act(() => begun[0]!.options.onAfterResponse!(null, answer(null)));
    act(() => begun[0]!.options.onAfterResponse!(null, answer("r1")));
    expect(begun.slice(1).map((one) => one.options.metadata)).toEqual([{ filename: "a.tfw", sidecar_for: "r1" }]);
    act(() => begun[0]!.options.onSuccess());
    expect(result.current.list).toEqual([]);
  });

  it("say how far they are, pause and go on", async () => {
    const { result } = renderHook(() => useUploads("p2"));
    act(() => result.current.add([new File(["12345678"], "b.tif")]));
    await settled();
    act(() => begun[0]!.options.onProgress!(4));
    const key = result.current.list[0]!.key;
    expect(result.current.list[0]).toMatchObject({ name: "b.tif", sent: 4, size: 8, state: "sending" });
    act(() => result.current.pause(key));
    expect([result.current.list[0]!.state, begun[0]!.abort.mock.calls.length]).toEqual(["paused", 1]);
    act(() => result.current.resume(key));
    expect([result.current.list[0]!.state, begun[0]!.start.mock.calls.length]).toEqual(["sending", 2]);
    act(() => result.current.cancel(key));
    expect(begun[0]!.abort).toHaveBeenLastCalledWith(true);
    expect(result.current.list).toEqual([]);
  });

  it("keep a failed one with its reason, apart from other projects", async () => {
    const { result } = renderHook(() => useUploads("p3"));
    const elsewhere = renderHook(() => useUploads("p4"));
    act(() => result.current.add([new File(["x"], "c.tif")]));
    await settled();
    act(() => begun[0]!.options.onError(new Error("The disk is full.")));
    expect(result.current.list[0]).toMatchObject({ state: "failed", error: "The disk is full." });
    expect(elsewhere.result.current.list).toEqual([]);
  });
});
