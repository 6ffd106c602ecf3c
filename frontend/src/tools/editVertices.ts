/** Edit vertices: drag one, drag an edge's middle to add one, Alt+click to take one away; snaps to neighbours. */
import { mayEdit, notify, type Context } from "../commands/context";
import { changeGeometry, deleteAnnotation } from "../commands/edit";
import { chooseTool, select } from "../commands/view";
import type { Geometry } from "../geo/geometry";
import type { LonLat, ScreenPoint } from "../geo/lonlat";
import { edgesOf, insertVertex, moveVertex, removeVertex, verticesOf, type VertexPath } from "../geo/shapes";
import type { Annotation } from "../protocol/entities";
import { crossesItself } from "../geo/crossing";
import { EDGE_PX, GRAB_PX, distance, nearestVertex, type MapPort, type Pointer, type Tool } from "./tool";

const SNAP_PX = 9;
const SNAP_CANDIDATES = 400;

/** The vertex in hand, and the annotation as it was when it was taken up. */
interface Held {
  readonly base: Annotation;
  readonly at: VertexPath;
  readonly geometry: Geometry;
  readonly moved: boolean;
}

export function editVertices(context: Context, map: MapPort): Tool {
  const { store } = context;
  let held: Held | null = null;

  const current = (): Annotation | undefined => {
    const { selected, annotations } = store.get();
    return selected !== null && mayEdit(store.get(), selected) ? annotations.get(selected) : undefined;
  };
  const letGo = () => {
    held = null;
    store.set({ editing: null });
  };

  return {
    cursor: "default",
    down(pointer) {
      const base = current();
      if (base === undefined || pointer.secondary) return false;
      const vertex = nearestVertex(map, verticesOf(base.geometry), pointer.screen);
      if (vertex !== null) {
        if (pointer.alt) {
          const without = removeVertex(base.geometry, vertex.at);
          if (without !== null) changeGeometry(context, base, without);
          return true;
        }
        held = { base, at: vertex.at, geometry: base.geometry, moved: false };
        return true;
      }
      const edge = edgesOf(base.geometry).find(({ from, to }) => {
        const [a, b] = [map.toScreen(from), map.toScreen(to)];
        return distance(a, b) >= EDGE_PX && distance(middle(a, b), pointer.screen) <= GRAB_PX;
      });
      if (edge === undefined) return false;
      const at = { ...edge.at, index: edge.at.index + 1 };
      held = { base, at, geometry: insertVertex(base.geometry, edge.at, pointer.lonlat), moved: true };
      store.set({ editing: { id: base.id, geometry: held.geometry } });
      return true;
    },
    drag(pointer) {
      if (held === null) return;
      const to = snapped(context, map, pointer, held.base.id);
      held = { ...held, moved: true, geometry: moveVertex(held.geometry, held.at, to) };
      store.set({ editing: { id: held.base.id, geometry: held.geometry } });
    },
    up() {
      const done = held;
      letGo();
      if (done?.moved !== true) return;
      if (crossesItself(done.geometry)) notify(context, { text: "crossesItself" });
      else changeGeometry(context, done.base, done.geometry);
    },
    click(pointer) {
      if (!pointer.secondary && !pointer.alt) {
        const id = map.annotationAt(pointer.screen);
        if (id !== store.get().selected) select(context, id);
      }
    },
    key({ key }) {
      const { selected } = store.get();
      if (key === "Escape" && held !== null) {
        letGo();
        return true;
      }
      if (key === "Escape" || key === "Enter") {
        chooseTool(context, "select");
        return true;
      }
      if (key === "Delete" && selected !== null) return deleteAnnotation(context, selected);
      return false;
    },
    cancel: letGo,
    exit: letGo,
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

function middle(a: ScreenPoint, b: ScreenPoint): ScreenPoint {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
