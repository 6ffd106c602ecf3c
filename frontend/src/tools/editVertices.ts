/** Edit vertices: drag one, drag an edge's middle to add one, Alt+click to take one away; snaps to neighbours. */
import { mayEdit, type Context } from "../commands/context";
import { changeGeometry, deleteAnnotation } from "../commands/edit";
import { chooseTool, select } from "../commands/view";
import type { Geometry } from "../geo/geometry";
import type { LonLat } from "../geo/lonlat";
import { edgesOf, insertVertex, moveVertex, removeVertex, verticesOf, type VertexPath } from "../geo/shapes";
import { GRAB_PX, distance, nearestVertex, type MapPort, type Pointer, type Tool } from "./tool";

const SNAP_PX = 9;
const SNAP_CANDIDATES = 400;

export function editVertices(context: Context, map: MapPort): Tool {
  const { store } = context;
  let held: { at: VertexPath; geometry: Geometry; moved: boolean } | null = null;

  const current = (): { id: string; geometry: Geometry } | null => {
    const { selected, annotations } = store.get();
    const annotation = selected === null ? undefined : annotations.get(selected);
    if (annotation === undefined || !mayEdit(store.get(), annotation.id)) return null;
    return { id: annotation.id, geometry: annotation.geometry };
  };
  const show = (id: string, geometry: Geometry) => store.set({ editing: { id, geometry } });

  return {
    cursor: "default",
    down(pointer) {
      const shape = current();
      if (shape === null || pointer.secondary) return false;
      const vertex = nearestVertex(map, verticesOf(shape.geometry), pointer.screen);
      if (vertex !== null) {
        if (pointer.alt) {
          const without = removeVertex(shape.geometry, vertex.at);
          if (without !== null) changeGeometry(context, shape.id, without);
          return true;
        }
        held = { at: vertex.at, geometry: shape.geometry, moved: false };
        return true;
      }
      const edge = edgesOf(shape.geometry).find(
        ({ from, to }) => distance(middle(map, from, to), pointer.screen) <= GRAB_PX,
      );
      if (edge === undefined) return false;
      const at = { ...edge.at, index: edge.at.index + 1 };
      held = { at, geometry: insertVertex(shape.geometry, edge.at, pointer.lonlat), moved: true };
      show(shape.id, held.geometry);
      return true;
    },
    drag(pointer) {
      const shape = current();
      if (held === null || shape === null) return;
      held = {
        ...held,
        moved: true,
        geometry: moveVertex(held.geometry, held.at, snapped(context, map, pointer, shape.id)),
      };
      show(shape.id, held.geometry);
    },
    up() {
      const shape = current();
      const done = held;
      held = null;
      store.set({ editing: null });
      if (done?.moved === true && shape !== null) changeGeometry(context, shape.id, done.geometry);
    },
    click(pointer) {
      if (!pointer.secondary && !pointer.alt) {
        const id = map.annotationAt(pointer.screen);
        if (id !== store.get().selected) select(context, id);
      }
    },
    key({ key }) {
      const { selected } = store.get();
      if (key === "Escape" || key === "Enter") {
        held = null;
        chooseTool(context, "select");
        return true;
      }
      if (key === "Delete" && selected !== null) return deleteAnnotation(context, selected);
      return false;
    },
    exit() {
      store.set({ editing: null });
    },
  };
}

/** The pointer's place, or a neighbour's vertex that is near it; Alt turns snapping off. */
function snapped(context: Context, map: MapPort, pointer: Pointer, own: string): LonLat {
  if (pointer.alt) return pointer.lonlat;
  const near: { at: VertexPath; position: LonLat }[] = [];
  const extent = context.store.get().facts?.extent;
  for (const annotation of context.store.get().annotations.values()) {
    if (annotation.id === own) continue;
    for (const vertex of verticesOf(annotation.geometry)) {
      const [lon, lat] = vertex.position;
      if (extent === undefined || (lon >= extent[0] && lon <= extent[2] && lat >= extent[1] && lat <= extent[3])) {
        near.push(vertex);
      }
    }
    if (near.length > SNAP_CANDIDATES * 50) break;
  }
  return nearestVertex(map, near, pointer.screen, SNAP_PX)?.position ?? pointer.lonlat;
}

function middle(map: MapPort, from: LonLat, to: LonLat): { x: number; y: number } {
  const a = map.toScreen(from);
  const b = map.toScreen(to);
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
