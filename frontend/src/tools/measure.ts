/** Measure: a way click by click, an area by coming back to its first point; nothing is saved. */
import { takeBackPoint } from "../commands/finishSketch";
import type { Context } from "../commands/context";
import { GRAB_PX, distance, type MapPort, type Pointer, type Tool } from "./tool";

const SAME_PX = 3;

export function measureTool(context: Context, map: MapPort): Tool {
  const { store } = context;
  const end = (closed: boolean) => {
    const { sketch } = store.get();
    if (sketch === null || sketch.points.length < 2) return false;
    store.set({ sketch: { ...sketch, pointer: null, done: closed ? "closed" : "open" } });
    return true;
  };
  const add = (pointer: Pointer) => {
    const { sketch } = store.get();
    const going = sketch !== null && sketch.done === undefined ? sketch : null;
    const points = going?.points ?? [];
    const near = (index: number, reach: number) => {
      const point = points.at(index);
      return point !== undefined && distance(map.toScreen(point), pointer.screen) <= reach;
    };
    if (points.length >= 3 && near(0, GRAB_PX)) end(true);
    else if (!near(-1, SAME_PX)) {
      const startedAt = going?.startedAt ?? Date.now();
      store.set({ sketch: { kind: "measure", points: [...points, pointer.lonlat], pointer: null, startedAt } });
    }
  };
  return {
    cursor: "crosshair",
    click(pointer) {
      if (!pointer.secondary) add(pointer);
    },
    doubleClick() {
      end(false);
    },
    move(pointer) {
      const { sketch } = store.get();
      if (sketch !== null && sketch.done === undefined) store.set({ sketch: { ...sketch, pointer: pointer.lonlat } });
    },
    key({ key }) {
      const { sketch } = store.get();
      if (sketch === null) return false;
      if (key === "Enter") return sketch.done === undefined && end(false);
      if (key === "Escape") store.set({ sketch: null });
      else if (key === "z" || key === "Backspace") {
        takeBackPoint(context);
        store.update((state) => {
          if (state.sketch === null) return state;
          const { kind, points, pointer, startedAt } = state.sketch;
          return { ...state, sketch: { kind, points, pointer, startedAt } };
        });
      } else return false;
      return true;
    },
    exit() {
      store.set({ sketch: null });
    },
  };
}
