/** How shapes look: readable over vegetation, soil and roofs; status by mark and line as well as by colour. */
import { LineString, MultiPoint, MultiPolygon, Point, Polygon, type Geometry } from "ol/geom";
import { getCenter } from "ol/extent";
import type { FeatureLike } from "ol/Feature";
import { getPointResolution } from "ol/proj";
import { Circle, Fill, RegularShape, Stroke, Style, Text } from "ol/style";
import type { AnnotationStatus } from "../protocol/entities";

export const ACCENT = "#3dd6f5";
const CASING = "rgba(255,255,255,0.9)";
const SHADE = "rgba(0,0,0,0.55)";
const MARKS: Readonly<Record<AnnotationStatus, string>> = {
  draft: "○",
  submitted: "◐",
  accepted: "●",
  changes_requested: "▲",
};
const DASHES: Readonly<Record<AnnotationStatus, number[] | undefined>> = {
  draft: [2, 4],
  submitted: [8, 4],
  accepted: undefined,
  changes_requested: [1, 5],
};
const MARK_FROM_PX = 26;
const CASING_FROM_PX = 14;
const PULSE_MS = 900;
const TURN_MS = 700;

export interface Look {
  readonly colour: string;
  readonly status: AnnotationStatus;
  readonly selected: boolean;
  readonly sizePx: number;
}

const kept = new Map<string, Style[]>();

type Detail = "speck" | "line" | "marked";

/** Styles are made once for each look; casing and mark only where the shape is large enough to carry them. */
export function annotationStyle(look: Look): Style[] {
  const { colour, status, selected, sizePx } = look;
  const detail = sizePx >= MARK_FROM_PX ? "marked" : sizePx >= CASING_FROM_PX || selected ? "line" : "speck";
  const key = `${colour} ${status} ${selected} ${detail}`;
  let styles = kept.get(key);
  if (styles === undefined) {
    styles = makeAnnotationStyle(look, detail);
    kept.set(key, styles);
  }
  return styles;
}

function makeAnnotationStyle({ colour, status, selected }: Look, detail: Detail): Style[] {
  if (detail === "speck") {
    const stroke = new Stroke({ color: colour, width: 1.25 });
    return [new Style({ stroke, fill: new Fill({ color: withAlpha(colour, 0.35) }) })];
  }
  const dash = DASHES[status];
  const width = selected ? 2.5 : 2;
  const styles = [
    new Style({
      stroke: new Stroke({ color: CASING, width: width + 2 }),
      fill: new Fill({ color: withAlpha(colour, selected ? 0.32 : 0.18) }),
    }),
    new Style({ stroke: new Stroke({ color: colour, width, ...(dash === undefined ? {} : { lineDash: dash }) }) }),
  ];
  if (selected) styles.unshift(new Style({ stroke: new Stroke({ color: ACCENT, width: width + 6 }) }));
  if (detail === "marked") {
    styles.push(
      new Style({
        geometry: (feature) => inner(feature.getGeometry() as Geometry | undefined),
        text: new Text({
          text: MARKS[status],
          font: "600 13px system-ui, sans-serif",
          fill: new Fill({ color: "#ffffff" }),
          stroke: new Stroke({ color: SHADE, width: 3 }),
          overflow: true,
        }),
      }),
    );
  }
  return styles;
}

export const draftStyle = [
  new Style({ stroke: new Stroke({ color: SHADE, width: 4 }), fill: new Fill({ color: "rgba(61,214,245,0.22)" }) }),
  new Style({ stroke: new Stroke({ color: ACCENT, width: 2, lineDash: [6, 4] }) }),
];
/** A line as wide as what it runs along, in metres on the ground. */
export function widthStyle(metres: number): (feature: FeatureLike, resolution: number) => Style {
  return (feature, resolution) => {
    const middle = getCenter(feature.getGeometry()?.getExtent() ?? [0, 0, 0, 0]);
    const metresPerPixel = getPointResolution("EPSG:3857", resolution, middle);
    const width = Math.max(1, metres / metresPerPixel);
    return new Style({ stroke: new Stroke({ color: "rgba(61,214,245,0.3)", width, lineCap: "butt" }) });
  };
}

export const otherCandidateStyle = new Style({
  stroke: new Stroke({ color: "rgba(61,214,245,0.45)", width: 1, lineDash: [2, 3] }),
});
export const previewStyle = new Style({
  stroke: new Stroke({ color: "rgba(255,255,255,0.85)", width: 1.5, lineDash: [3, 3] }),
  fill: new Fill({ color: "rgba(255,255,255,0.18)" }),
});
export const promptBoxStyle = new Style({ stroke: new Stroke({ color: ACCENT, width: 1.5, lineDash: [5, 4] }) });
export const usedWindowStyle = new Style({
  stroke: new Stroke({ color: "rgba(61,214,245,0.4)", width: 1, lineDash: [1, 4] }),
});
export const sketchStyle = [
  new Style({ stroke: new Stroke({ color: SHADE, width: 4 }), fill: new Fill({ color: "rgba(255,255,255,0.12)" }) }),
  new Style({
    stroke: new Stroke({ color: "#ffffff", width: 2 }),
    image: new Circle({
      radius: 4,
      fill: new Fill({ color: "#ffffff" }),
      stroke: new Stroke({ color: SHADE, width: 2 }),
    }),
  }),
];

/** Vertices of the shape being edited, and a small mark in the middle of each edge that is long enough to be taken. */
export function vertexStyles(vertices: number[][], middles: number[][]): Style[] {
  return [
    new Style({
      geometry: new MultiPoint(middles),
      image: new Circle({
        radius: 3.5,
        fill: new Fill({ color: "rgba(255,255,255,0.7)" }),
        stroke: new Stroke({ color: SHADE, width: 1 }),
      }),
    }),
    new Style({
      geometry: new MultiPoint(vertices),
      image: new RegularShape({
        points: 4,
        radius: 6.5,
        angle: Math.PI / 4,
        fill: new Fill({ color: "#ffffff" }),
        stroke: new Stroke({ color: "#0b7285", width: 2 }),
      }),
    }),
  ];
}

export function promptStyle(label: 0 | 1): Style {
  return new Style({
    image: new Circle({
      radius: 6,
      fill: new Fill({ color: label === 1 ? "#37b24d" : "#f03e3e" }),
      stroke: new Stroke({ color: "#ffffff", width: 2 }),
    }),
    text: new Text({
      text: label === 1 ? "+" : "−",
      font: "700 10px system-ui, sans-serif",
      fill: new Fill({ color: "#ffffff" }),
    }),
  });
}

/** A ring that swells and fades while the answer is on its way; it stands still for those who want no motion. */
export function pulseStyle(now: number): Style {
  const beat = reducedMotion() ? 0.4 : (now % PULSE_MS) / PULSE_MS;
  return new Style({
    image: new Circle({
      radius: 8 + 10 * beat,
      stroke: new Stroke({ color: `rgba(61,214,245,${1 - 0.85 * beat})`, width: 3 }),
    }),
  });
}

/** The ring around a point whose window is being encoded; with the seconds to go, as long as there are any. */
export function countdownStyle(seconds: number, now: number): Style {
  const turn = reducedMotion() ? 0 : ((now % TURN_MS) / TURN_MS) * 16;
  return new Style({
    image: new Circle({
      radius: 16,
      stroke: new Stroke({ color: ACCENT, width: 3, lineDash: [10, 6], lineDashOffset: -turn }),
    }),
    ...(seconds <= 0
      ? {}
      : {
          text: new Text({
            text: `${seconds} s`,
            offsetY: -26,
            font: "600 12px system-ui, sans-serif",
            fill: new Fill({ color: "#ffffff" }),
            stroke: new Stroke({ color: SHADE, width: 3 }),
          }),
        }),
  });
}

/** Not yet encoded: a quiet veil that clears window by window. */
export function windowStyle(state: string): Style | undefined {
  if (state === "ready" || state === "skipped") return undefined;
  return new Style({
    stroke: new Stroke({
      color: state === "failed" ? "rgba(240,62,62,0.7)" : "rgba(255,255,255,0.16)",
      width: 1,
      lineDash: [2, 6],
    }),
    fill: new Fill({ color: state === "failed" ? "rgba(240,62,62,0.10)" : hatch() }),
  });
}

export function presenceStyle(colour: string, initial: string): Style {
  return new Style({
    image: new Circle({
      radius: 9,
      fill: new Fill({ color: colour }),
      stroke: new Stroke({ color: "#ffffff", width: 2 }),
    }),
    text: new Text({ text: initial, font: "700 10px system-ui, sans-serif", fill: new Fill({ color: "#ffffff" }) }),
  });
}

export function teammateStyle(colour: string, initial: string): Style[] {
  return [
    new Style({ stroke: new Stroke({ color: colour, width: 4 }) }),
    new Style({
      geometry: (feature) => inner(feature.getGeometry() as Geometry | undefined),
      text: new Text({
        text: initial,
        font: "700 13px system-ui, sans-serif",
        fill: new Fill({ color: "#ffffff" }),
        backgroundFill: new Fill({ color: colour }),
        padding: [2, 4, 1, 4],
      }),
    }),
  ];
}

/** A place on the shape itself: the middle of its box may lie beside it. */
function inner(geometry: Geometry | undefined): Geometry | undefined {
  if (geometry instanceof Polygon) return geometry.getInteriorPoint();
  if (geometry instanceof MultiPolygon) return geometry.getInteriorPoints().getPoint(0) ?? undefined;
  if (geometry instanceof LineString) return new Point(geometry.getCoordinateAt(0.5));
  return geometry === undefined ? undefined : new Point(getCenter(geometry.getExtent()));
}

function reducedMotion(): boolean {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function withAlpha(colour: string, alpha: number): string {
  const value = Number.parseInt(colour.slice(1), 16);
  return `rgba(${(value >> 16) & 255},${(value >> 8) & 255},${value & 255},${alpha})`;
}

let pattern: CanvasPattern | string | null = null;

function hatch(): CanvasPattern | string {
  if (pattern === null) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 10;
    const pen = tile.getContext("2d");
    if (pen !== null) {
      pen.strokeStyle = "rgba(255,255,255,0.13)";
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(0, 10);
      pen.lineTo(10, 0);
      pen.stroke();
    }
    pattern = pen?.createPattern(tile, "repeat") ?? "rgba(255,255,255,0.04)";
  }
  return pattern;
}
