/** How the draft fits its neighbours is asked once it stands still, and shown only with the shape it was asked for. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { exampleDraft } from "../store/examples";
import { ApiError } from "../net/http";
import type { Fit, Geometry } from "../protocol/entities";
import { exampleAnnotation, exampleClass } from "../protocol/examples";
import { Store } from "../store/store";
import { Fitting } from "./fitting";

const shape = exampleAnnotation().geometry;
const moved: Geometry = { type: "Polygon", coordinates: [[[7, 46], [7.002, 46], [7.002, 46.001], [7, 46]]] }; // prettier-ignore
const draft = exampleDraft({ candidates: [{ geometry: shape, score: 0.9, area_m2: 5, index: 0 }] });

function open(border: number | null, answer: (...given: unknown[]) => Promise<Fit>) {
  const store = new Store();
  const ask = vi.fn(answer);
  store.set({ projectId: "p", classes: [exampleClass({ shared_border_m: border })] });
  new Fitting(store, ask);
  return { store, ask, fit: () => store.get().draft?.fit };
}
const settle = () => vi.advanceTimersByTimeAsync(1000);
const fitted = () => Promise.resolve({ geometry: moved, area_m2: 4, neighbours: 2 });

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

describe("fitting the draft", () => {
  it("asks once for a shape that stands still, and shows the answer", async () => {
    const { store, ask, fit } = open(3, fitted);
    store.set({ draft });
    store.set({ preview: null, saving: true });
    await settle();
    expect(ask).toHaveBeenCalledTimes(1);
    expect(fit()).toEqual({ geometry: moved, neighbours: 2, problem: null });
  });

  it("asks nothing where the class shares no borders", async () => {
    const { store, ask } = open(null, fitted);
    store.set({ draft });
    await settle();
    expect(ask).not.toHaveBeenCalled();
  });

  it("asks nothing of ground in a class of lines, which is shown until its line has come", async () => {
    const { store, ask } = open(5, fitted);
    const track = exampleClass({ shared_border_m: 5, geometry_type: "line" });
    store.set({ classes: [track], activeClass: track.id, draft });
    await settle();
    expect(ask).not.toHaveBeenCalled();
    const line: Geometry = { type: "LineString", coordinates: [[7, 46], [7.001, 46]] }; // prettier-ignore
    store.set({ draft: { ...draft, candidates: [{ geometry: line, score: 0.9, area_m2: 5, index: 0 }] } });
    await settle();
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it("drops the answer for a shape that is not shown any more", async () => {
    const { store, fit } = open(3, () => new Promise((resolve) => setTimeout(() => void fitted().then(resolve), 300)));
    store.set({ draft });
    await vi.advanceTimersByTimeAsync(200);
    store.set({ draft: { ...draft, phase: "waiting" } });
    await settle();
    expect(fit()).toBeNull();
  });

  it("lets go of a question without a complaint when the shape is accepted meanwhile", async () => {
    const complaints: unknown[] = [];
    const complain = (reason: unknown) => complaints.push(reason);
    process.on("unhandledRejection", complain);
    const { store } = open(3, (...given) => {
      const signal = given[3] as AbortSignal;
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    });
    store.set({ draft });
    await vi.advanceTimersByTimeAsync(200);
    store.set({ draft: null });
    await settle();
    vi.useRealTimers();
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", complain);
    expect(complaints).toEqual([]);
  });

  it("tells why a shape cannot be stored, and stays silent when the server is away", async () => {
    const covered = open(3, () => Promise.reject(new ApiError("annotation.covered", "Covered.", 422, {})));
    covered.store.set({ draft });
    const away = open(3, () => Promise.reject(new ApiError("network", "Away.", 0, {})));
    away.store.set({ draft });
    await settle();
    expect([covered.fit()?.problem, away.fit()]).toEqual(["Covered.", null]);
  });
});
