/** Lengths and areas on the ellipsoid. */
import geodesic from "geographiclib-geodesic";
import type { Bbox, LonLat } from "./lonlat";

const { WGS84 } = geodesic.Geodesic;

/** Metres along the points; rings come back to their first one. */
export function lengthOf(points: readonly LonLat[], closed = false): number {
  return run(points, !closed).perimeter;
}

/** Metres of the shorter side of a view, across its middle; a view of more than half the world counts as half. */
export function shorterSideOf([west, south, east, north]: Bbox): number {
  const [lon, lat] = [(west + east) / 2, (south + north) / 2];
  const half = Math.min(east - west, 180) / 2;
  const across = lengthOf([
    [lon - half, lat],
    [lon, lat],
    [lon + half, lat],
  ]);
  return Math.min(
    across,
    lengthOf([
      [lon, south],
      [lon, north],
    ]),
  );
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
