/** Select: picks a shape, moves the picked one by dragging, removes it. */
import { mayEdit, type Context } from "../commands/context";
import { changeGeometry, deleteAnnotation } from "../commands/edit";
import { chooseTool, select } from "../commands/view";
import type { Geometry } from "../geo/geometry";
import { translate } from "../geo/shapes";
import type { Annotation } from "../protocol/entities";
import { distance, type MapPort, type Pointer, type Tool } from "./tool";

const MOVE_PX = 4;

export function selectTool(context: Context, map: MapPort): Tool {
  const { store } = context;
  let held: { readonly from: Pointer; readonly base: Annotation } | null = null;
  const letGo = () => {
    held = null;
    store.set({ editing: null });
  };
  return {
    cursor: "default",
    down(pointer) {
      const { selected, review, annotations } = store.get();
      const mine = !review && selected !== null && map.annotationAt(pointer.screen) === selected;
      const base = mine && mayEdit(store.get(), selected) ? annotations.get(selected) : undefined;
      held = base === undefined ? null : { from: pointer, base };
      return held !== null;
    },
    drag(pointer) {
      if (held === null) return;
      store.set({ editing: { id: held.base.id, geometry: moved(held.from, held.base, pointer) } });
    },
    up(pointer) {
      const done = held;
      letGo();
      if (done === null || distance(done.from.screen, pointer.screen) < MOVE_PX) return;
      changeGeometry(context, done.base, moved(done.from, done.base, pointer));
    },
    click(pointer) {
      if (!pointer.secondary) select(context, map.annotationAt(pointer.screen));
    },
    doubleClick(pointer) {
      const id = map.annotationAt(pointer.screen);
      if (id !== null && mayEdit(store.get(), id)) {
        chooseTool(context, "edit");
        select(context, id);
      }
    },
    key({ key }) {
      const { selected } = store.get();
      if (key === "Escape" && held !== null) {
        letGo();
        return true;
      }
      if (key === "Escape" && selected !== null) {
        select(context, null);
        return true;
      }
      if ((key === "Delete" || key === "Backspace") && selected !== null) return deleteAnnotation(context, selected);
      return false;
    },
    cancel: letGo,
    exit: letGo,
  };
}

function moved(from: Pointer, base: Annotation, to: Pointer): Geometry {
  return translate(base.geometry, [to.lonlat[0] - from.lonlat[0], to.lonlat[1] - from.lonlat[1]]);
}
