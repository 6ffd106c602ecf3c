/** Where to look: rasters, layers, zoom and selection. */
import { bboxOf } from "../geo/lonlat";
import { positionsOf } from "../geo/shapes";
import { effective } from "../store/reconcile";
import type { ToolName } from "../store/state";
import { atLeast, type Context } from "./context";

export function openRaster(context: Context, id: string): void {
  if (context.store.get().activeRaster !== id) context.conversation.clear();
  context.store.set({ activeRaster: id });
  setLayer(context, id, { visible: true });
  zoomToRaster(context, id);
}

export function zoomToRaster(context: Context, id: string): void {
  const bbox = context.store.get().rasters.find((raster) => raster.id === id)?.bbox;
  if (bbox !== null && bbox !== undefined) context.store.set({ zoom: { bbox, at: Date.now() } });
}

export function zoomToAnnotation(context: Context, id: string): void {
  const annotation = effective(context.store.get(), id);
  const bbox = annotation === undefined ? null : bboxOf(positionsOf(annotation.geometry));
  if (bbox !== null) context.store.set({ zoom: { bbox, at: Date.now() } });
}

export function select(context: Context, id: string | null): void {
  context.store.set({ selected: id, editing: null });
}

export function chooseTool(context: Context, tool: ToolName): void {
  if (!toolAvailable(context, tool)) return;
  context.conversation.clear();
  context.store.set({ tool, sketch: null, editing: null });
}

export function toolAvailable(context: Context, tool: ToolName): boolean {
  return tool === "select" || atLeast(context.store.get(), "annotator");
}

export function chooseClass(context: Context, id: string): void {
  context.store.set({ activeClass: id });
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
