/** Pieces of state for tests. */
import type { Draft } from "./state";

/** A draft that is shown, without candidates. */
export function exampleDraft(change: Partial<Draft> = {}): Draft {
  return {
    id: "00000000-0000-4000-8000-0000000000dd",
    raster: "00000000-0000-4000-8000-0000000000b1",
    points: [],
    box: null,
    promptSeq: 1,
    phase: "shown",
    readyAt: null,
    candidates: [],
    chosen: 0,
    windows: [],
    growing: false,
    model: null,
    recipe: "",
    startedAt: 0,
    problem: null,
    shaping: null,
    fit: null,
    ...change,
  };
}
