import { describe, expect, it } from "vitest";
import { exampleAnnotation, exampleClass, exampleRaster, exampleRecipe } from "../protocol/examples";
import type { ClientMessage } from "../protocol/socket";
import { Conversation } from "../segment/conversation";
import { confirm } from "../store/apply";
import type { State } from "../store/state";
import { Store } from "../store/store";
import type { Context } from "./context";
import { aimAt, chooseClass, moveLayer, openRaster, zoomToAnnotation, zoomToRaster } from "./view";

const id = (end: string) => `00000000-0000-4000-8000-0000000000${end}`;
const autumn = exampleRaster({ id: id("b1") });
const spring = exampleRaster({ id: id("b2") });
const elsewhere = exampleRaster({ id: id("b3"), bbox: [10, 50, 10.1, 50.1] });
const near: State["facts"] = { cursor: null, zoom: 15, metresPerPixel: 1, extent: [7.02, 46.02, 7.06, 46.06] };

function open(change: Partial<State> = {}) {
  const store = new Store();
  const context: Context = { store, conversation: new Conversation(store, () => true), save: () => undefined };
  store.set({
    rasters: [autumn, spring, elsewhere],
    activeRaster: autumn.id,
    layers: [autumn, elsewhere, spring].map((raster) => ({ id: raster.id, visible: true, opacity: 1 })),
    ...change,
  });
  const visible = () => store.get().layers.flatMap((layer) => (layer.visible ? [layer.id] : []));
  return { store, context, visible };
}

describe("opening a raster", () => {
  it("hides what lies over it, and nothing else", () => {
    const { context, store, visible } = open();
    openRaster(context, spring.id);
    expect([visible(), store.get().activeRaster]).toEqual([[elsewhere.id, spring.id], spring.id]);
    openRaster(context, autumn.id);
    expect(visible()).toEqual([autumn.id, elsewhere.id, spring.id]);
  });

  it("of the place one looks at leaves the map where it is", () => {
    const { context, store } = open({ facts: near });
    openRaster(context, spring.id);
    expect(store.get().zoom).toBeNull();
  });

  it("somewhere else, or seen from far away, goes there", () => {
    const { context, store } = open({ facts: near });
    openRaster(context, elsewhere.id);
    expect(store.get().zoom?.bbox).toEqual(elsewhere.bbox);
    const far = open({ facts: { ...near, extent: [0, 40, 14.1, 52.1] } });
    openRaster(far.context, spring.id);
    expect(far.store.get().zoom?.bbox).toEqual(spring.bbox);
  });
});

describe("a prompt", () => {
  const far = [10.05, 50.05] as const;
  const here = [7.04, 46.04] as const;

  it("beside the active raster goes to the visible one that is there", () => {
    const { context, store } = open();
    aimAt(context, far);
    expect(store.get().activeRaster).toBe(elsewhere.id);
    aimAt(context, here);
    expect(store.get().activeRaster).toBe(autumn.id);
  });

  it("on the active raster stays there, whatever lies over it", () => {
    const { context, store } = open({ activeRaster: spring.id });
    aimAt(context, here);
    expect(store.get().activeRaster).toBe(spring.id);
  });

  it("where only a hidden raster or none is changes nothing", () => {
    const { context, store } = open({ layers: [{ id: elsewhere.id, visible: false, opacity: 1 }] });
    aimAt(context, far);
    aimAt(context, [0, 0]);
    expect(store.get().activeRaster).toBe(autumn.id);
  });
});

it("a suggestion is asked for its class, and again when the class is changed for one that is drawn otherwise", () => {
  const fields = exampleClass();
  const roofs = exampleClass({ id: id("c7"), recipe: exampleRecipe({ form: "right_angles" }) });
  const { store, context } = open({ classes: [fields, roofs], activeClass: fields.id });
  const sent: ClientMessage[] = [];
  const conversation = new Conversation(store, (message) => sent.push(message) > 0);
  const choose = (one: string) => chooseClass({ ...context, conversation }, one);
  conversation.addPoint([7.04, 46.04], 1);
  choose(roofs.id);
  expect(sent).toHaveLength(1);
  store.update((state) => ({ ...state, draft: state.draft && { ...state.draft, phase: "shown" } }));
  choose(fields.id);
  choose(fields.id);
  expect(sent).toMatchObject([
    { promptSeq: 1, label_class: fields.id },
    { promptSeq: 2, label_class: fields.id },
  ]);
  expect(store.get().draft?.phase).toBe("shown");
});

it("zooming to a hidden raster shows it", () => {
  const { context, visible } = open({ layers: [{ id: elsewhere.id, visible: false, opacity: 1 }] });
  zoomToRaster(context, elsewhere.id);
  expect(visible()).toEqual([elsewhere.id]);
});

describe("going to a shape", () => {
  const shape = exampleAnnotation({ raster: spring.id });

  it("shows it with what surrounds it", () => {
    const { context, store } = open();
    store.update((state) => confirm(state, shape));
    zoomToAnnotation(context, shape.id);
    const [west, south, east, north] = store.get().zoom!.bbox;
    expect([west < 7, south < 46, east > 7.001, north > 46.001]).toEqual([true, true, true, true]);
    expect(store.get().activeRaster).toBe(autumn.id);
  });

  it("in review shows the raster it was made on, if that is still there", () => {
    const { context, store, visible } = open({ review: true });
    store.update((state) => confirm(state, shape));
    zoomToAnnotation(context, shape.id);
    expect([store.get().activeRaster, visible().includes(autumn.id)]).toEqual([spring.id, false]);
    const gone = exampleAnnotation({ id: id("f2"), raster: id("b9") });
    store.update((state) => confirm(state, gone));
    zoomToAnnotation(context, gone.id);
    expect(store.get().activeRaster).toBe(spring.id);
  });
});

it("a layer goes up and down within the list, and stops at its ends", () => {
  const { context, store } = open();
  const order = () => store.get().layers.map((layer) => layer.id);
  moveLayer(context, spring.id, 1);
  expect(order()).toEqual([autumn.id, spring.id, elsewhere.id]);
  moveLayer(context, spring.id, 1);
  moveLayer(context, spring.id, 1);
  expect(order()).toEqual([spring.id, autumn.id, elsewhere.id]);
  moveLayer(context, spring.id, -1);
  expect(order()).toEqual([autumn.id, spring.id, elsewhere.id]);
});
