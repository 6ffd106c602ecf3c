/** Pure edits of geometries, vertex by vertex. */
import type { Geometry } from "./geometry";
import type { LonLat } from "./lonlat";

/** Where a vertex is: part, ring (0 is the outer one) and index. Lines are one ring that is not closed. */
export interface VertexPath {
  readonly part: number;
  readonly ring: number;
  readonly index: number;
}

type Line = readonly (readonly number[])[];
type Parts = readonly (readonly Line[])[];

const DECIMALS = 1e9;

/** The geometry as parts of rings, closing positions left out. */
export function partsOf(geometry: Geometry): LonLat[][][] {
  return toParts(geometry).map((rings) =>
    rings.map((ring) => {
      const line = ring.map(([lon = 0, lat = 0]) => [lon, lat] as const);
      return isArea(geometry) ? line.slice(0, -1) : line;
    }),
  );
}

/** A geometry of the same kind from parts; rings are closed again. */
export function withParts(geometry: Geometry, parts: readonly (readonly (readonly LonLat[])[])[]): Geometry {
  const area = isArea(geometry);
  const lines = parts.map((rings) =>
    rings.map((ring) => {
      const line = ring.map(([lon, lat]) => [round(lon), round(lat)]);
      const first = line[0];
      return area && first !== undefined ? [...line, [...first]] : line;
    }),
  );
  if (geometry.type === "Point") return { type: "Point", coordinates: lines[0]?.[0]?.[0] ?? geometry.coordinates };
  if (area) {
    const only = lines[0];
    return lines.length === 1 && only !== undefined
      ? { type: "Polygon", coordinates: only }
      : { type: "MultiPolygon", coordinates: lines };
  }
  const all = lines.map((rings) => rings[0] ?? []);
  const only = all[0];
  return all.length === 1 && only !== undefined
    ? { type: "LineString", coordinates: only }
    : { type: "MultiLineString", coordinates: all };
}

export function moveVertex(geometry: Geometry, at: VertexPath, to: LonLat): Geometry {
  return editRing(geometry, at, (ring) => ring.map((position, index) => (index === at.index ? to : position)));
}

/** Puts a vertex after the one at `at`. */
export function insertVertex(geometry: Geometry, at: VertexPath, where: LonLat): Geometry {
  return editRing(geometry, at, (ring) => [...ring.slice(0, at.index + 1), where, ...ring.slice(at.index + 1)]);
}

/** Takes a vertex away; null when the ring or line would have too few left. */
export function removeVertex(geometry: Geometry, at: VertexPath): Geometry | null {
  const ring = partsOf(geometry)[at.part]?.[at.ring];
  if (ring === undefined || ring.length <= (isArea(geometry) ? 3 : 2)) return null;
  return editRing(geometry, at, (old) => old.filter((_, index) => index !== at.index));
}

/** Moves the whole geometry by a difference in degrees. */
export function translate(geometry: Geometry, by: LonLat): Geometry {
  return withParts(
    geometry,
    partsOf(geometry).map((rings) =>
      rings.map((ring) => ring.map(([lon, lat]) => [lon + by[0], lat + by[1]] as const)),
    ),
  );
}

export function verticesOf(geometry: Geometry): { at: VertexPath; position: LonLat }[] {
  return partsOf(geometry).flatMap((rings, part) =>
    rings.flatMap((line, ring) => line.map((position, index) => ({ at: { part, ring, index }, position }))),
  );
}

/** Each edge with the path of its first vertex. */
export function edgesOf(geometry: Geometry): { at: VertexPath; from: LonLat; to: LonLat }[] {
  const closed = isArea(geometry);
  return partsOf(geometry).flatMap((rings, part) =>
    rings.flatMap((line, ring) =>
      line.flatMap((from, index) => {
        const to = line[index + 1] ?? (closed ? line[0] : undefined);
        return to === undefined ? [] : [{ at: { part, ring, index }, from, to }];
      }),
    ),
  );
}

/** Whether two geometries are the same on the ground; the way their rings turn does not matter. */
export function sameGeometry(one: Geometry, other: Geometry): boolean {
  return one.type === other.type && normal(one) === normal(other);
}

export function positionsOf(geometry: Geometry): LonLat[] {
  return partsOf(geometry).flat(2);
}

export function polygonOf(ring: readonly LonLat[]): Geometry {
  return withParts({ type: "Polygon", coordinates: [] }, [[ring]]);
}

export function lineOf(line: readonly LonLat[]): Geometry {
  return withParts({ type: "LineString", coordinates: [] }, [[line]]);
}

function normal(geometry: Geometry): string {
  const parts = partsOf(geometry).map((rings) =>
    rings.map((ring) => {
      const line = ring.map(([lon, lat]) => [round(lon), round(lat)] as const);
      const [first, second] = [line[0], line[1]];
      const last = line.at(-1);
      if (!isArea(geometry) || first === undefined || second === undefined || last === undefined) return line;
      const turned = second[0] > last[0] || (second[0] === last[0] && second[1] > last[1]);
      return turned ? [first, ...line.slice(1).reverse()] : line;
    }),
  );
  return JSON.stringify(parts);
}

function isArea(geometry: Geometry): boolean {
  return geometry.type === "Polygon" || geometry.type === "MultiPolygon";
}

function toParts(geometry: Geometry): Parts {
  switch (geometry.type) {
    case "Point":
      return [[[geometry.coordinates]]];
    case "LineString":
      return [[geometry.coordinates]];
    case "MultiLineString":
      return geometry.coordinates.map((line) => [line]);
    case "Polygon":
      return [geometry.coordinates];
    case "MultiPolygon":
      return geometry.coordinates;
  }
}

function editRing(geometry: Geometry, at: VertexPath, edit: (ring: readonly LonLat[]) => readonly LonLat[]): Geometry {
  return withParts(
    geometry,
    partsOf(geometry).map((rings, part) =>
      rings.map((line, ring) => (part === at.part && ring === at.ring ? edit(line) : line)),
    ),
  );
}

function round(value: number): number {
  return Math.round(value * DECIMALS) / DECIMALS;
}
