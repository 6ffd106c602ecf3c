/** Hands pointers to the active tool; what the tool does not take, the map's own gestures get. */
import type OlMap from "ol/Map";
import type MapBrowserEvent from "ol/MapBrowserEvent";
import Interaction from "ol/interaction/Interaction";
import type { Pointer } from "../tools/tool";
import type { Toolbox } from "../tools/toolbox";
import { lonLatFromMap } from "./projection";

export class ToolInteraction extends Interaction {
  private captured = false;
  /** While Space is held, every drag pans. */
  panning = false;

  constructor(private readonly toolbox: Toolbox) {
    super();
  }

  override handleEvent(event: MapBrowserEvent): boolean {
    const tool = this.toolbox.active;
    const original = event.originalEvent;
    if (!(original instanceof MouseEvent)) return true;
    const pointer = pointerOf(event, original);
    switch (event.type) {
      case "pointerdown":
        this.captured = !this.panning && original.button === 0 && tool.down?.(pointer) === true;
        return !this.captured;
      case "pointerdrag":
        if (!this.captured) return true;
        tool.drag?.(pointer);
        return false;
      case "pointerup":
        if (!this.captured) return true;
        this.captured = false;
        tool.up?.(pointer);
        return false;
      case "click":
        if (!this.panning && original.button === 0) tool.click?.(pointer);
        return true;
      case "dblclick":
        tool.doubleClick?.(pointer);
        return false;
      case "pointermove":
        tool.move?.(pointer);
        return true;
      default:
        return true;
    }
  }
}

/** The right button is a click of its own kind; the browser's menu stays away. */
export function listenToSecondary(map: OlMap, toolbox: Toolbox): () => void {
  const viewport = map.getViewport();
  if (viewport === undefined) return () => undefined;
  const listener = (event: MouseEvent) => {
    event.preventDefault();
    const pixel = map.getEventPixel(event);
    const [x = 0, y = 0] = pixel;
    toolbox.active.click?.({
      lonlat: lonLatFromMap(map.getCoordinateFromPixel(pixel)),
      screen: { x, y },
      shift: event.shiftKey,
      alt: event.altKey,
      secondary: true,
    });
  };
  viewport.addEventListener("contextmenu", listener);
  return () => viewport.removeEventListener("contextmenu", listener);
}

function pointerOf(event: MapBrowserEvent, original: MouseEvent): Pointer {
  const [x = 0, y = 0] = event.pixel;
  return {
    lonlat: lonLatFromMap(event.coordinate),
    screen: { x, y },
    shift: original.shiftKey,
    alt: original.altKey,
    secondary: false,
  };
}
