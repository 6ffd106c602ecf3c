/** Select: picks a shape, moves the picked one by dragging, removes it. */
import { mayEdit, type Context } from "../commands/context";
import { changeGeometry, deleteAnnotation } from "../commands/edit";
import { chooseTool, select } from "../commands/view";
import { translate } from "../geo/shapes";
import { distance, type MapPort, type Pointer, type Tool } from "./tool";

const MOVE_PX = 4;

export function selectTool(context: Context, map: MapPort): Tool {
  const { store } = context;
  let from: Pointer | null = null;
  return {
    cursor: "default",
    down(pointer) {
      const { selected, review } = store.get();
      const mine = !review && selected !== null && map.annotationAt(pointer.screen) === selected;
      from = mine && mayEdit(store.get(), selected) ? pointer : null;
      return from !== null;
    },
    drag(pointer) {
      const annotation = store.get().annotations.get(store.get().selected ?? "");
      if (from === null || annotation === undefined) return;
      const by = [pointer.lonlat[0] - from.lonlat[0], pointer.lonlat[1] - from.lonlat[1]] as const;
      store.set({ editing: { id: annotation.id, geometry: translate(annotation.geometry, by) } });
    },
    up(pointer) {
      const start = from;
      const { editing } = store.get();
      from = null;
      store.set({ editing: null });
      if (start !== null && editing !== null && distance(start.screen, pointer.screen) >= MOVE_PX) {
        changeGeometry(context, editing.id, editing.geometry);
      }
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
      if (key === "Escape" && selected !== null) {
        select(context, null);
        return true;
      }
      if ((key === "Delete" || key === "Backspace") && selected !== null) return deleteAnnotation(context, selected);
      return false;
    },
  };
}
