/** Where to look: rasters, layers, zoom and selection. */
import { bboxOf, type Bbox, type LonLat } from "../geo/lonlat";
import { positionsOf } from "../geo/shapes";
import { draftClass } from "../store/classFor";
import { effective } from "../store/reconcile";
import type { State, ToolName } from "../store/state";
import { atLeast, type Context } from "./context";

const WIDE = 4;

/** Makes a raster the one that is clicked on, and shows it. */
export function openRaster(context: Context, id: string): void {
  showRaster(context, id);
  const bbox = context.store.get().rasters.find((raster) => raster.id === id)?.bbox;
  if (!inView(context, bbox ?? null)) zoomToRaster(context, id);
}

/** The raster is shown, with nothing lying over it. */
function showRaster(context: Context, id: string): void {
  const { activeRaster, rasters } = context.store.get();
  if (activeRaster !== id) context.conversation.clear();
  const boxOf = (raster: string) => rasters.find((one) => one.id === raster)?.bbox ?? null;
  context.store.update((state) => {
    const place = state.layers.findIndex((layer) => layer.id === id);
    const layers = state.layers.map((layer, index) => {
      if (layer.id === id) return { ...layer, visible: true };
      return index < place && overlap(boxOf(layer.id), boxOf(id)) ? { ...layer, visible: false } : layer;
    });
    return { ...state, activeRaster: id, layers };
  });
}

/** A prompt goes to the active raster; where that one is not, to the topmost visible one that is there. */
export function aimAt(context: Context, [lon, lat]: LonLat): void {
  const { activeRaster, draft, layers, rasters } = context.store.get();
  const there = new Set(rasters.filter(({ state, bbox }) => state === "viewable" && holds(bbox, lon, lat)).map(idOf));
  if (draft !== null || (activeRaster !== null && there.has(activeRaster))) return;
  const found = layers.find(({ id, visible }) => visible && there.has(id));
  if (found !== undefined) context.store.set({ activeRaster: found.id });
}

/** A hidden raster is shown: nobody zooms to what is not to be seen. */
export function zoomToRaster(context: Context, id: string): void {
  setLayer(context, id, { visible: true });
  const bbox = context.store.get().rasters.find((raster) => raster.id === id)?.bbox;
  if (bbox !== null && bbox !== undefined) context.store.set({ zoom: { bbox, at: Date.now() } });
}

/** In review a shape is judged on the raster, and so on the date, that it was made on. */
export function zoomToAnnotation(context: Context, id: string): void {
  const { review, layers } = context.store.get();
  const annotation = effective(context.store.get(), id);
  const made = annotation?.raster ?? null;
  if (review && made !== null && layers.some((layer) => layer.id === made)) showRaster(context, made);
  const bbox = annotation === undefined ? null : bboxOf(positionsOf(annotation.geometry));
  if (bbox !== null) context.store.set({ zoom: { bbox: withContext(bbox), at: Date.now() } });
}

/** A shape is judged by what surrounds it: as much again on each side. */
function withContext([west, south, east, north]: Bbox): Bbox {
  const [width, height] = [east - west, north - south];
  return [west - width, Math.max(-85, south - height), east + width, Math.min(85, north + height)];
}

export function select(context: Context, id: string | null): void {
  context.store.set({ selected: id, editing: null });
}

export function chooseTool(context: Context, tool: ToolName): void {
  if (!toolAvailable(context.store.get(), tool)) return;
  context.store.set({ tool, sketch: null, editing: null });
}

export function toolAvailable(state: Pick<State, "role">, tool: ToolName): boolean {
  return tool === "select" || tool === "measure" || atLeast(state, "annotator");
}

export function chooseClass(context: Context, id: string): void {
  const drawn = () => JSON.stringify(draftClass(context.store.get())?.recipe);
  const old = drawn();
  context.store.set({ activeClass: id });
  if (drawn() !== old) context.conversation.classChanged();
}

export function setLayer(
  context: Context,
  id: string,
  fields: { readonly visible?: boolean; readonly opacity?: number },
): void {
  context.store.update((state) => ({
    ...state,
    layers: state.layers.map((layer) => (layer.id === id ? { ...layer, ...fields } : layer)),
  }));
}

export function moveLayer(context: Context, id: string, by: 1 | -1): void {
  context.store.update((state) => {
    const layers = [...state.layers];
    const from = layers.findIndex((layer) => layer.id === id);
    const [layer] = from < 0 ? [] : layers.splice(from, 1);
    if (layer === undefined) return state;
    layers.splice(Math.max(0, Math.min(layers.length, from - by)), 0, layer);
    return { ...state, layers };
  });
}

/** Whether one is looking at it already: another date of the same place is shown without moving the map. */
function inView(context: Context, bbox: Bbox | null): boolean {
  const extent = context.store.get().facts?.extent;
  if (extent === undefined || bbox === null) return false;
  const [lon, lat] = [(extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2];
  return holds(bbox, lon, lat) && extent[2] - extent[0] < WIDE * (bbox[2] - bbox[0]);
}

function holds(bbox: Bbox | null, lon: number, lat: number): boolean {
  return bbox !== null && lon >= bbox[0] && lon <= bbox[2] && lat >= bbox[1] && lat <= bbox[3];
}

function idOf({ id }: { readonly id: string }): string {
  return id;
}

function overlap(a: Bbox | null, b: Bbox | null): boolean {
  return a !== null && b !== null && a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}
