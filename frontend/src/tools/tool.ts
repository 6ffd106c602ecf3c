/** What a tool is: it hears the pointer and the keys while it is active; knows no map library and no page. */
import type { Context } from "../commands/context";
import type { LonLat, ScreenPoint } from "../geo/lonlat";
import type { VertexPath } from "../geo/shapes";
import type { ToolName } from "../store/state";

export interface Pointer {
  readonly lonlat: LonLat;
  readonly screen: ScreenPoint;
  readonly shift: boolean;
  readonly alt: boolean;
  readonly secondary: boolean;
}

/** What tools ask of the map. */
export interface MapPort {
  toScreen(lonlat: LonLat): ScreenPoint;
  toLonLat(point: ScreenPoint): LonLat;
  annotationAt(point: ScreenPoint): string | null;
}

export interface Key {
  readonly key: string;
  readonly shift: boolean;
}

export interface Tool {
  readonly cursor: string;
  /** True takes the drag; else the map pans. */
  down?(pointer: Pointer): boolean;
  drag?(pointer: Pointer): void;
  up?(pointer: Pointer): void;
  /** The drag became something else, such as two fingers that zoom: as if it had never begun. */
  cancel?(): void;
  click?(pointer: Pointer): void;
  doubleClick?(pointer: Pointer): void;
  move?(pointer: Pointer): void;
  /** True when the key was for this tool. */
  key?(key: Key): boolean;
  exit?(next: ToolName): void;
}

export type ToolMaker = (context: Context, map: MapPort) => Tool;

export const GRAB_PX = 10;
/** Edges shorter than this on the screen carry no handle in their middle. */
export const EDGE_PX = 28;

export function distance(a: ScreenPoint, b: ScreenPoint): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** The nearest vertex within reach, or null. */
export function nearestVertex(
  map: MapPort,
  vertices: readonly { at: VertexPath; position: LonLat }[],
  point: ScreenPoint,
  reach = GRAB_PX,
): { at: VertexPath; position: LonLat } | null {
  let best: { at: VertexPath; position: LonLat } | null = null;
  let least = reach;
  for (const vertex of vertices) {
    const away = distance(map.toScreen(vertex.position), point);
    if (away <= least) {
      best = vertex;
      least = away;
    }
  }
  return best;
}
