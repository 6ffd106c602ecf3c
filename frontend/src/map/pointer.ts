/** Hands pointers to the active tool; what the tool does not take, the map's own gestures get. */
import type Collection from "ol/Collection";
import Kinetic from "ol/Kinetic";
import type OlMap from "ol/Map";
import type MapBrowserEvent from "ol/MapBrowserEvent";
import { noModifierKeys, primaryAction } from "ol/events/condition";
import DragPan from "ol/interaction/DragPan";
import Interaction from "ol/interaction/Interaction";
import { defaults } from "ol/interaction/defaults";
import type { ScreenPoint } from "../geo/lonlat";
import { distance, type Pointer } from "../tools/tool";
import type { Toolbox } from "../tools/toolbox";
import { lonLatFromMap } from "./projection";

const DOUBLE_MS = 350;
const DOUBLE_PX = 5;

export class ToolInteraction extends Interaction {
  private captured = false;
  private last: Pointer | null = null;
  private clicked: { readonly screen: ScreenPoint; readonly at: number } | null = null;
  /** While Space is held, every drag pans. */
  panning = false;

  constructor(private readonly toolbox: Toolbox) {
    super();
  }

  /** Tells the tool once more where the pointer is, with other keys held. */
  again(keys: { readonly shift: boolean }): void {
    if (this.last === null || this.captured) return;
    this.last = { ...this.last, ...keys };
    this.toolbox.active.move?.(this.last);
  }

  /** The map library takes any two quick clicks for a double one, however far apart: corners set in haste are not. */
  private click(pointer: Pointer, at: number): void {
    const { clicked } = this;
    const double =
      clicked !== null && at - clicked.at <= DOUBLE_MS && distance(clicked.screen, pointer.screen) <= DOUBLE_PX;
    this.clicked = double ? null : { screen: pointer.screen, at };
    this.toolbox.active.click?.(pointer);
    if (double) this.toolbox.active.doubleClick?.(pointer);
  }

  override handleEvent(event: MapBrowserEvent): boolean {
    const tool = this.toolbox.active;
    const original = event.originalEvent;
    if (!(original instanceof MouseEvent)) return true;
    const pointer = pointerOf(event, original);
    switch (event.type) {
      case "pointerdown":
        if ((event.activePointers?.length ?? 0) > 1) {
          if (this.captured) tool.cancel?.();
          this.captured = false;
          return true;
        }
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
        if (!this.panning && original.button === 0) this.click(pointer, original.timeStamp);
        return true;
      case "pointermove":
        this.last = pointer;
        tool.move?.(pointer);
        return true;
      default:
        return true;
    }
  }
}

/** The map's own gestures: drag or the middle button pans, the wheel zooms; nothing turns it. */
export function mapInteractions(): Collection<Interaction> {
  const made = defaults({
    altShiftDragRotate: false,
    doubleClickZoom: false,
    dragPan: false,
    pinchRotate: false,
    shiftDragZoom: false,
  });
  made.push(
    new DragPan({
      condition: pans,
      kinetic: new Kinetic(-0.005, 0.05, 100),
    }),
  );
  return made;
}

/** Calls back when the pointer is no longer over the map; returns what ends that. */
export function whenPointerLeaves(map: OlMap, then: () => void): () => void {
  const viewport = map.getViewport();
  if (viewport === undefined) return () => undefined;
  viewport.addEventListener("pointerleave", then);
  return () => viewport.removeEventListener("pointerleave", then);
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

function pans(event: MapBrowserEvent): boolean {
  const { originalEvent } = event;
  return (
    (originalEvent instanceof MouseEvent && originalEvent.button === 1) ||
    (noModifierKeys(event) && primaryAction(event))
  );
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
