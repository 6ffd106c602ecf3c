/** Positions in degrees, longitude first, as the wire and the store have them. */
export type LonLat = readonly [number, number];
/** West, south, east, north in degrees. */
export type Bbox = readonly [number, number, number, number];
/** A place in the map's viewport, CSS pixels from its upper left corner. */
export interface ScreenPoint {
  readonly x: number;
  readonly y: number;
}

export function bboxOf(points: readonly LonLat[]): Bbox | null {
  if (points.length === 0) return null;
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [lon, lat] of points) {
    west = Math.min(west, lon);
    south = Math.min(south, lat);
    east = Math.max(east, lon);
    north = Math.max(north, lat);
  }
  return [west, south, east, north];
}
