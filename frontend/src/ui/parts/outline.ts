/** A geometry as an SVG path in a small square: north up, shape kept. */
import type { Geometry } from "../../protocol/entities";

interface Outline {
  readonly path: string;
  readonly point: readonly [number, number] | null;
}

const MARGIN = 3;
const MOST_POINTS = 120;

export function outline(geometry: Geometry, size: number): Outline {
  const lines = linesOf(geometry);
  const points = lines.flat();
  const first = points[0];
  if (first === undefined || points.length === 1) return { path: "", point: [size / 2, size / 2] };
  const stretch = Math.max(0.01, Math.cos(((first[1] ?? 0) * Math.PI) / 180));
  const xs = points.map(([lon = 0]) => lon * stretch);
  const ys = points.map(([, lat = 0]) => lat);
  const [left, top] = [Math.min(...xs), Math.max(...ys)];
  const [width, height] = [Math.max(...xs) - left, top - Math.min(...ys)];
  const scale = (size - 2 * MARGIN) / Math.max(width, height, 1e-12);
  const padX = (size - width * scale) / 2;
  const padY = (size - height * scale) / 2;
  const closed = !geometry.type.endsWith("LineString");
  const path = lines
    .map((line) => {
      const step = Math.max(1, Math.ceil(line.length / MOST_POINTS));
      const steps = line
        .filter((_, index) => index % step === 0)
        .map(([lon = 0, lat = 0]) => {
          const x = padX + (lon * stretch - left) * scale;
          const y = padY + (top - lat) * scale;
          return `${x.toFixed(1)} ${y.toFixed(1)}`;
        });
      return `M${steps.join("L")}${closed ? "Z" : ""}`;
    })
    .join("");
  return { path, point: null };
}

function linesOf(geometry: Geometry): readonly (readonly (readonly number[])[])[] {
  switch (geometry.type) {
    case "Point":
      return [[geometry.coordinates]];
    case "LineString":
      return [geometry.coordinates];
    case "Polygon":
    case "MultiLineString":
      return geometry.coordinates;
    case "MultiPolygon":
      return geometry.coordinates.flat();
  }
}

/** A square into which shapes in pixels, y downward, are drawn on one scale. */
export interface Frame {
  path(geometry: Geometry): string;
  corners(geometry: Geometry): readonly (readonly [number, number])[];
}

/** The frame that a shape fills. */
export function fitted(shape: Geometry, size: number): Frame {
  const points = linesOf(shape).flat();
  const xs = points.map(([x = 0]) => x);
  const ys = points.map(([, y = 0]) => y);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [width, height] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const scale = (size - 4 * MARGIN) / Math.max(width, height, 1e-9);
  const [padX, padY] = [(size - width * scale) / 2, (size - height * scale) / 2];
  const at = ([x = 0, y = 0]: readonly number[]) => [padX + (x - left) * scale, padY + (y - top) * scale] as const;
  const text = (place: readonly number[]) =>
    at(place)
      .map((value) => value.toFixed(1))
      .join(" ");
  return {
    path: (geometry) => {
      const end = geometry.type.endsWith("LineString") ? "" : "Z";
      return linesOf(geometry)
        .map((line) => `M${line.map(text).join("L")}${end}`)
        .join("");
    },
    corners: (geometry) => linesOf(geometry).flat().map(at),
  };
}
