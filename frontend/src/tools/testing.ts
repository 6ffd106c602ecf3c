/** A toolbox over a plain map in the test's hand. */
import type { Context } from "../commands/context";
import type { LonLat } from "../geo/lonlat";
import { exampleAnnotation, exampleClass, exampleRaster, exampleUser } from "../protocol/examples";
import { Conversation } from "../segment/conversation";
import { confirm } from "../store/apply";
import type { Op, State } from "../store/state";
import { Store } from "../store/store";
import type { MapPort, Pointer } from "./tool";
import { Toolbox } from "./toolbox";

const me = exampleUser();
export const shape = exampleAnnotation({ status: "draft" });

/** One degree is a thousand pixels, north up, from 7 E 47 N. */
export const map: MapPort & { under: string | null } = {
  under: null,
  toScreen: ([lon, lat]) => ({ x: (lon - 7) * 1000, y: (47 - lat) * 1000 }),
  toLonLat: ({ x, y }): LonLat => [7 + x / 1000, 47 - y / 1000],
  annotationAt: () => map.under,
};

export function open(change: Partial<State> = {}) {
  map.under = null;
  const store = new Store();
  const conversation = new Conversation(store, () => true);
  const ops: Op[] = [];
  const context: Context = {
    store,
    conversation,
    save: (op) => {
      ops.push(op);
      store.addOp(op);
    },
  };
  store.set({
    loaded: true,
    projectId: shape.project,
    me,
    role: "annotator",
    activeRaster: exampleRaster().id,
    classes: [exampleClass(), exampleClass({ id: "field", name: "Field", digit: 2 })],
    ...change,
  });
  store.update((state) => confirm(state, shape));
  const toolbox = new Toolbox(context, map);
  const press = (key: string, more: { ctrl?: boolean; shift?: boolean } = {}) =>
    toolbox.press({ key, ctrl: false, shift: false, ...more });
  return { store, conversation, ops, toolbox, press };
}

export function at(x: number, y: number, more: Partial<Pointer> = {}): Pointer {
  return { screen: { x, y }, lonlat: map.toLonLat({ x, y }), shift: false, alt: false, secondary: false, ...more };
}
