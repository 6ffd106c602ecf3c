/** What lies over the saved shapes: draft, candidates, prompts, sketch, vertices, teammates. */
import Feature from "ol/Feature";
import LineString from "ol/geom/LineString";
import Point from "ol/geom/Point";
import Polygon from "ol/geom/Polygon";
import type VectorSource from "ol/source/Vector";
import type Style from "ol/style/Style";
import type { StyleLike } from "ol/style/Style";
import type { Geometry } from "../geo/geometry";
import { mayEdit } from "../commands/context";
import type { LonLat } from "../geo/lonlat";
import { edgesOf, verticesOf } from "../geo/shapes";
import { EDGE_PX } from "../tools/tool";
import type { Presence } from "../protocol/socket";
import type { Draft, State } from "../store/state";
import { mapFromLonLat, mapGeometry } from "./projection";
import {
  countdownStyle,
  draftStyle,
  otherCandidateStyle,
  presenceStyle,
  previewStyle,
  promptBoxStyle,
  promptStyle,
  pulseStyle,
  sketchStyle,
  teammateStyle,
  usedWindowStyle,
  vertexStyles,
  widthStyle,
} from "./styles";

export function drawDraft(source: VectorSource, state: State, now: number): void {
  source.clear(true);
  const { draft, preview, outlined } = state;
  for (const shown of [preview?.geometry ?? null, outlined]) {
    if (shown !== null) source.addFeature(styled(new Feature(mapGeometry(shown)), previewStyle));
  }
  if (draft === null) return;
  for (const window of draft.windows) source.addFeature(styled(ring(window.outline), usedWindowStyle));
  draft.candidates.forEach((candidate, index) => {
    if (index !== draft.chosen) {
      source.addFeature(styled(new Feature(mapGeometry(candidate.geometry)), otherCandidateStyle));
    }
  });
  const chosen = draft.candidates[draft.chosen];
  if (chosen !== undefined) {
    const shown = draft.fit?.geometry ?? chosen.geometry;
    if (chosen.width !== undefined)
      source.addFeature(styled(new Feature(mapGeometry(shown)), widthStyle(chosen.width)));
    for (const style of draftStyle) source.addFeature(styled(new Feature(mapGeometry(shown)), style));
  }
  if (draft.box !== null) {
    const [west, south, east, north] = draft.box;
    const corners: LonLat[] = [
      [west, south],
      [east, south],
      [east, north],
      [west, north],
    ];
    source.addFeature(styled(ring(corners), promptBoxStyle));
  }
  for (const { lon, lat, label } of draft.points) {
    source.addFeature(styled(new Feature(new Point(mapFromLonLat([lon, lat]))), promptStyle(label)));
  }
  const anchor = anchorOf(draft);
  if (anchor === null || !awaited(draft)) return;
  const seconds = draft.readyAt === null ? null : Math.max(0, Math.ceil((draft.readyAt - now) / 1000));
  const style = seconds === null ? pulseStyle(now) : countdownStyle(seconds, now);
  source.addFeature(styled(new Feature(new Point(mapFromLonLat(anchor))), style));
}

/** Whether an answer is on its way, or more of one that is shown. */
export function awaited({ phase, growing }: Draft): boolean {
  return phase === "waiting" || phase === "encoding" || growing;
}

/** Where the waiting is shown: at the newest point, else in the middle of the box. */
function anchorOf({ points, box }: Draft): LonLat | null {
  const last = points.at(-1);
  if (last !== undefined) return [last.lon, last.lat];
  return box === null ? null : [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
}

export function drawSketch(source: VectorSource, state: State): void {
  source.clear(true);
  const { sketch, editing, selected, annotations, tool } = state;
  if (sketch !== null) {
    const points = sketch.pointer === null ? sketch.points : [...sketch.points, sketch.pointer];
    const closed = sketch.kind === "polygon" || sketch.done === "closed";
    const feature = closed && points.length > 2 ? ring(points) : line(points);
    for (const style of sketchStyle) source.addFeature(styled(feature.clone(), style));
    for (const point of sketch.points) {
      const last = sketchStyle.at(-1);
      if (last !== undefined) source.addFeature(styled(new Feature(new Point(mapFromLonLat(point))), last));
    }
  }
  const shown =
    editing?.geometry ??
    (tool === "edit" && selected !== null && mayEdit(state, selected)
      ? annotations.get(selected)?.geometry
      : undefined);
  if (shown === undefined) return;
  const feature = new Feature(mapGeometry(shown));
  feature.setStyle(tool === "edit" ? editStyle(shown) : draftStyle);
  source.addFeature(feature);
}

function editStyle(shown: Geometry): (feature: unknown, resolution: number) => Style[] {
  const vertices = verticesOf(shown).map(({ position }) => mapFromLonLat(position));
  const edges = edgesOf(shown).map(({ from, to }) => [mapFromLonLat(from), mapFromLonLat(to)] as const);
  return (_, resolution) => {
    const long = edges.filter(([a, b]) => Math.hypot(b[0] - a[0], b[1] - a[1]) >= EDGE_PX * resolution);
    const middles = long.map(([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
    return [...draftStyle, ...vertexStyles(vertices, middles)];
  };
}

export function drawPresence(source: VectorSource, state: State): void {
  source.clear(true);
  for (const one of state.presence) {
    if (one.session === state.session) continue;
    const initial = initialOf(one);
    const shape = one.editing === null ? undefined : state.annotations.get(one.editing);
    if (shape !== undefined) {
      const feature = new Feature(mapGeometry(shape.geometry));
      feature.setStyle(teammateStyle(one.user.colour, initial));
      source.addFeature(feature);
    }
    if (one.cursor !== null && one.user.id !== state.me?.id) {
      const at = mapFromLonLat([one.cursor.lon, one.cursor.lat]);
      source.addFeature(styled(new Feature(new Point(at)), presenceStyle(one.user.colour, initial)));
    }
  }
}

function initialOf(presence: Presence): string {
  return (presence.user.display_name[0] ?? "?").toUpperCase();
}

function ring(points: readonly LonLat[]): Feature {
  const line = points.map(mapFromLonLat);
  const first = line[0];
  return new Feature(new Polygon([first === undefined ? line : [...line, first]]));
}

function line(points: readonly LonLat[]): Feature {
  return new Feature(new LineString(points.map(mapFromLonLat)));
}

function styled(feature: Feature, style: StyleLike): Feature {
  feature.setStyle(style);
  return feature;
}
