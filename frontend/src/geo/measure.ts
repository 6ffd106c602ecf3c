/** Lengths and areas on the ellipsoid. */
import geodesic from "geographiclib-geodesic";
import type { LonLat } from "./lonlat";

const { WGS84 } = geodesic.Geodesic;

/** Metres along the points; rings come back to their first one. */
export function lengthOf(points: readonly LonLat[], closed = false): number {
  return run(points, !closed).perimeter;
}

/** Square metres within a ring of points. */
export function areaOf(ring: readonly LonLat[]): number {
  return Math.abs(run(ring, false).area ?? 0);
}

function run(points: readonly LonLat[], line: boolean) {
  const polygon = WGS84.Polygon(line);
  for (const [lon, lat] of points) polygon.AddPoint(lat, lon);
  return polygon.Compute(false, true);
}
