/** Finds polygons whose outlines cross themselves or each other, before the server has to refuse them. */
import type { Geometry } from "./geometry";
import type { LonLat } from "./lonlat";
import { edgesOf } from "./shapes";

/** Whether two edges of an area meet anywhere but at the vertex they share. Lines may cross. */
export function crossesItself(geometry: Geometry): boolean {
  if (geometry.type !== "Polygon" && geometry.type !== "MultiPolygon") return false;
  // From west to east: only edges whose longitudes overlap are compared.
  const edges = edgesOf(geometry)
    .map((edge) => ({ ...edge, west: Math.min(edge.from[0], edge.to[0]), east: Math.max(edge.from[0], edge.to[0]) }))
    .sort((a, b) => a.west - b.west);
  return edges.some((one, index) => {
    for (let next = index + 1; next < edges.length; next += 1) {
      const other = edges[next];
      if (other === undefined || other.west > one.east) return false;
      if (meet(one.from, one.to, other.from, other.to)) return true;
    }
    return false;
  });
}

function meet(a: LonLat, b: LonLat, c: LonLat, d: LonLat): boolean {
  if (same(b, c) || same(a, d)) return foldsBack(a, b, c, d);
  const [abc, abd] = [side(a, b, c), side(a, b, d)];
  const [cda, cdb] = [side(c, d, a), side(c, d, b)];
  // Touching without crossing is left to the server, which knows more of it.
  return abc * abd < 0 && cda * cdb < 0;
}

/** Neighbours that lie on each other: a spike. */
function foldsBack(a: LonLat, b: LonLat, c: LonLat, d: LonLat): boolean {
  const [tip, one, other] = same(b, c) ? [b, a, d] : [a, b, c];
  const along = (one[0] - tip[0]) * (other[0] - tip[0]) + (one[1] - tip[1]) * (other[1] - tip[1]);
  return side(tip, one, other) === 0 && along > 0;
}

function side(a: LonLat, b: LonLat, point: LonLat): number {
  return Math.sign((b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]));
}

function same(a: LonLat, b: LonLat): boolean {
  return a[0] === b[0] && a[1] === b[1];
}
