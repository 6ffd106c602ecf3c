/** Smart click and box: points and boxes become suggestions. */
import { acceptDraft } from "../commands/acceptDraft";
import type { Context } from "../commands/context";
import { deleteAnnotation } from "../commands/edit";
import { nextForm, stepLevel } from "../commands/reshape";
import { aimAt, select } from "../commands/view";
import type { Bbox, LonLat, ScreenPoint } from "../geo/lonlat";
import { distance, type Key, type MapPort, type Tool } from "./tool";

const BOX_PX = 6;

/** `alwaysBox`: the box tool; otherwise a drag makes a box and a click a point. */
export function smartClick(alwaysBox: boolean): (context: Context, map: MapPort) => Tool {
  return (context, map) => {
    let from: { lonlat: LonLat; screen: ScreenPoint } | null = null;
    const { conversation, store } = context;
    // Once there is a box, points make it more exact.
    const takesPoints = () => !alwaysBox || store.get().draft !== null;
    return {
      cursor: "crosshair",
      down(pointer) {
        if (pointer.secondary) return false;
        from = pointer;
        return true;
      },
      drag(pointer) {
        if (from === null || distance(from.screen, pointer.screen) < BOX_PX) return;
        store.set({
          sketch: { kind: "polygon", points: corners(map, from.screen, pointer.screen), pointer: null, startedAt: 0 },
        });
      },
      up(pointer) {
        const start = from;
        from = null;
        if (store.get().sketch !== null) store.set({ sketch: null });
        if (start === null) return;
        aimAt(context, start.lonlat);
        if (distance(start.screen, pointer.screen) >= BOX_PX)
          conversation.setBox(boxOf(corners(map, start.screen, pointer.screen)));
        else if (takesPoints()) conversation.addPoint(start.lonlat, pointer.alt ? 0 : 1);
      },
      cancel() {
        from = null;
        store.set({ sketch: null });
      },
      click(pointer) {
        if (pointer.secondary && takesPoints()) conversation.addPoint(pointer.lonlat, 0);
      },
      move(pointer) {
        if (pointer.shift) conversation.hover(pointer.lonlat);
        else if (store.get().preview !== null) conversation.endHover();
      },
      key: (key) => draftKey(context, key),
      exit(next) {
        if (next !== "click" && next !== "box") conversation.clear();
      },
    };
  };
}

function draftKey(context: Context, { key, shift }: Key): boolean {
  const { conversation, store } = context;
  const { draft, selected } = store.get();
  switch (key) {
    case "Enter":
      return acceptDraft(context);
    case "Escape":
      if (draft !== null) conversation.clear();
      else if (selected !== null) select(context, null);
      else return false;
      return true;
    case "Delete":
      return draft === null && selected !== null && deleteAnnotation(context, selected);
    case "Tab":
      if (draft === null) return false;
      conversation.cycle(shift ? -1 : 1);
      return true;
    case ",":
      return stepLevel(context, 1);
    case ".":
      return stepLevel(context, -1);
    case "o":
      return nextForm(context);
    case "z":
    case "Backspace":
      return conversation.undoPrompt();
    default:
      return false;
  }
}

function corners(map: MapPort, a: ScreenPoint, b: ScreenPoint): LonLat[] {
  return [map.toLonLat(a), map.toLonLat({ x: b.x, y: a.y }), map.toLonLat(b), map.toLonLat({ x: a.x, y: b.y })];
}

function boxOf(points: readonly LonLat[]): Bbox {
  const lons = points.map(([lon]) => lon);
  const lats = points.map(([, lat]) => lat);
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}
