/** Draws a polygon or a line click by click. */
import type { Context } from "../commands/context";
import { finishSketch, takeBackPoint } from "../commands/finishSketch";
import { GRAB_PX, distance, type MapPort, type Tool } from "./tool";

const SAME_PX = 3;

export function draw(kind: "polygon" | "line"): (context: Context, map: MapPort) => Tool {
  return (context, map) => {
    const { store } = context;
    const least = kind === "polygon" ? 3 : 2;
    return {
      cursor: "crosshair",
      click(pointer) {
        if (pointer.secondary) return;
        const { sketch } = store.get();
        const points = sketch?.points ?? [];
        const closing = kind === "polygon" ? points[0] : points.at(-1);
        if (
          points.length >= least &&
          closing !== undefined &&
          distance(map.toScreen(closing), pointer.screen) <= GRAB_PX
        ) {
          finishSketch(context);
          return;
        }
        // The second press of a double click, and a tremble, add nothing.
        const before = points.at(-1);
        if (before !== undefined && distance(map.toScreen(before), pointer.screen) <= SAME_PX) return;
        store.set({
          sketch: {
            kind,
            points: [...points, pointer.lonlat],
            pointer: null,
            startedAt: sketch?.startedAt ?? Date.now(),
          },
        });
      },
      doubleClick() {
        finishSketch(context);
      },
      move(pointer) {
        const { sketch } = store.get();
        if (sketch !== null) store.set({ sketch: { ...sketch, pointer: pointer.lonlat } });
      },
      key({ key }) {
        const { sketch } = store.get();
        if (sketch === null) return false;
        if (key === "Enter") return finishSketch(context);
        if (key === "Escape") store.set({ sketch: null });
        else if (key === "z" || key === "Backspace") takeBackPoint(context);
        else return false;
        return true;
      },
      exit() {
        store.set({ sketch: null });
      },
    };
  };
}
