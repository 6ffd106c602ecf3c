import { beforeEach, describe, expect, it, vi } from "vitest";
import { exampleRaster } from "../protocol/examples";
import type { ClientMessage, SuggestionMessage } from "../protocol/socket";
import { Store } from "../store/store";
import { Conversation } from "./conversation";

const raster = exampleRaster().id;
const RING = "A@_@??_@@?";

function open() {
  const store = new Store();
  store.set({ activeRaster: raster });
  const sent: ClientMessage[] = [];
  const wire = { up: true };
  const conversation = new Conversation(store, (message) => {
    if (wire.up) sent.push(message);
    return wire.up;
  });
  const asked = () => sent.filter((message) => message.type === "prompt.submit");
  const draft = () => store.get().draft;
  return { store, conversation, sent, asked, draft, wire };
}

function suggestion(change: Partial<SuggestionMessage>): SuggestionMessage {
  return {
    type: "suggestion",
    promptSeq: 1,
    draft: "00000000-0000-4000-8000-0000000000dd",
    hover: false,
    candidates: [0.9, 0.5, 0.2].map((score, index) => ({ rings: [[RING]], digits: 8, score, area_m2: 12, index })),
    chosen: 0,
    windows: [{ col: 0, row: 0, size: 1024, polygon: [[7, 46]] }],
    model: { name: "m", hash: "h" },
    recipe: "r",
    ms: {},
    ...change,
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

describe("the conversation about one object", () => {
  it("sends all prompts so far with a rising number, under one draft", () => {
    const { conversation, asked } = open();
    conversation.addPoint([7, 46], 1);
    conversation.addPoint([7.1, 46.1], 0);
    const [first, second] = asked();
    expect([first?.promptSeq, second?.promptSeq]).toEqual([1, 2]);
    expect(first?.draft).toBe(second?.draft);
    expect(second?.points).toEqual([
      { lon: 7, lat: 46, label: 1 },
      { lon: 7.1, lat: 46.1, label: 0 },
    ]);
  });

  it("asks nothing without a raster", () => {
    const { conversation, store, sent, draft } = open();
    store.set({ activeRaster: null });
    conversation.addPoint([7, 46], 1);
    expect([sent, draft()]).toEqual([[], null]);
  });

  it("says how far the user sees, where the map has said so", () => {
    const { conversation, asked, store } = open();
    conversation.addPoint([7, 46], 1);
    const facts = { cursor: null, zoom: 18, metresPerPixel: 0.6, extent: [7, 46, 7.01, 46.004] } as const;
    store.set({ facts });
    conversation.addPoint([7, 46], 1);
    conversation.hover([7, 46]);
    expect(asked().map((message) => message.view_m)).toEqual([undefined, 445]);
  });

  it("shows the answer to its newest prompts and drops stale ones", () => {
    const { conversation, draft } = open();
    conversation.addPoint([7, 46], 1);
    conversation.addPoint([7.1, 46.1], 1);
    conversation.receive(suggestion({ promptSeq: 1 }));
    expect(draft()?.phase).toBe("waiting");
    conversation.receive(suggestion({ promptSeq: 2 }));
    expect([draft()?.phase, draft()?.candidates.length]).toEqual(["shown", 3]);
    expect(draft()?.candidates[0]?.geometry).toMatchObject({ type: "Polygon" });
  });

  it("shows what is known of an object that goes on, then the larger outline, with the windows of each", () => {
    const { conversation, draft } = open();
    conversation.addPoint([7, 46], 1);
    const [west, east] = [0, 896].map((col) => ({ col, row: 0, size: 1024, polygon: [[7, 46]] }));
    conversation.receive(suggestion({ windows: [west!], growing: true }));
    expect([draft()?.phase, draft()?.growing, draft()?.windows.map(({ col }) => col)]).toEqual(["shown", true, [0]]);
    conversation.receive(suggestion({ windows: [west!, east!] }));
    expect([draft()?.phase, draft()?.growing, draft()?.windows.map(({ col }) => col)]).toEqual([
      "shown",
      false,
      [0, 896],
    ]);
  });

  it("asks again for an object that was growing when the connection is back, and not for a whole one", () => {
    const { conversation, asked, draft } = open();
    conversation.addPoint([7, 46], 1);
    conversation.receive(suggestion({ growing: true }));
    conversation.resume();
    expect([asked().length, draft()?.phase, draft()?.growing]).toEqual([2, "waiting", false]);
    conversation.receive(suggestion({ promptSeq: 2 }));
    conversation.resume();
    expect(asked().length).toBe(2);
  });

  it("says so when there is nothing, in the server's words", () => {
    const { conversation, draft } = open();
    conversation.addPoint([7, 46], 1);
    conversation.receive(suggestion({ candidates: [], hint: "Click nearer to the middle." }));
    expect([draft()?.phase, draft()?.problem]).toEqual(["failed", "Click nearer to the middle."]);
  });

  it("waits while the window is encoded, and shows a failure", () => {
    const { conversation, draft, store } = open();
    conversation.addPoint([7, 46], 1);
    const id = draft()!.id;
    conversation.receive({ type: "suggestion.pending", promptSeq: 1, draft: id, seconds: 4 });
    expect([draft()?.phase, draft()?.readyAt]).toEqual(["encoding", Date.now() + 4000]);
    const error = { code: "model.away", message: "Try again." };
    conversation.receive({ type: "suggestion.failed", promptSeq: 1, draft: id, error });
    expect([store.get().draft?.phase, store.get().draft?.problem]).toEqual(["failed", "Try again."]);
  });

  it("asks again when no answer comes, and when the connection is back", async () => {
    const { conversation, asked, wire, draft } = open();
    wire.up = false;
    conversation.addPoint([7, 46], 1);
    expect([asked().length, draft()?.phase]).toEqual([0, "waiting"]);
    wire.up = true;
    conversation.resume();
    expect(asked()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(16_000);
    expect(asked()).toHaveLength(2);
    conversation.receive(suggestion({ promptSeq: asked().at(-1)!.promptSeq }));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked()).toHaveLength(2);
    conversation.resume();
    expect(asked()).toHaveLength(2);
  });

  it("asks again when an answer that was announced for later does not come", async () => {
    const { conversation, asked, draft } = open();
    conversation.addPoint([7, 46], 1);
    conversation.receive({ type: "suggestion.pending", promptSeq: 1, draft: draft()!.id, seconds: 30 });
    await vi.advanceTimersByTimeAsync(40_000);
    expect(asked()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked()).toHaveLength(2);
  });

  it("goes on watching for the newest answer when an older one comes late", async () => {
    const { conversation, asked } = open();
    conversation.addPoint([7, 46], 1);
    conversation.addPoint([7.1, 46], 1);
    conversation.receive(suggestion({ promptSeq: 1 }));
    await vi.advanceTimersByTimeAsync(16_000);
    expect(asked()).toHaveLength(3);
  });

  it("asks nothing more once the project is closed", async () => {
    const { conversation, asked } = open();
    conversation.addPoint([7, 46], 1);
    conversation.forget();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked()).toHaveLength(1);
  });

  it("takes prompts back one by one, and the draft with the last", () => {
    const { conversation, asked, draft, sent } = open();
    conversation.setBox([7, 46, 7.1, 46.1]);
    conversation.addPoint([7, 46], 1);
    expect(conversation.undoPrompt()).toBe(true);
    expect(asked().at(-1)).toMatchObject({ points: [], box: [7, 46, 7.1, 46.1] });
    conversation.undoPrompt();
    expect(draft()).toBeNull();
    expect(sent.at(-1)?.type).toBe("prompt.clear");
    expect(conversation.undoPrompt()).toBe(false);
  });

  it("names the annotation that a draft was saved as, so that its mask is kept, and none for one given up", () => {
    const { conversation, sent } = open();
    conversation.addPoint([7, 46], 1);
    conversation.clear("saved-as");
    conversation.addPoint([7, 46], 1);
    conversation.clear();
    const cleared = sent.filter((message) => message.type === "prompt.clear");
    expect(cleared.map((message) => message.annotation)).toEqual(["saved-as", undefined]);
  });

  it("shows the next candidate at once and asks for its whole outline", () => {
    const { conversation, asked, draft } = open();
    conversation.addPoint([7, 46], 1);
    conversation.receive(suggestion({}));
    conversation.cycle(1);
    expect(draft()?.chosen).toBe(1);
    expect(asked().at(-1)).toMatchObject({ candidate: 1, promptSeq: 2 });
    conversation.cycle(-1);
    conversation.cycle(-1);
    expect(draft()?.chosen).toBe(2);
  });

  it("starts anew on another raster", () => {
    const { conversation, store, draft } = open();
    conversation.addPoint([7, 46], 1);
    const before = draft()!.id;
    store.set({ activeRaster: "00000000-0000-4000-8000-0000000000e2" });
    conversation.addPoint([7, 46], 1);
    expect(draft()?.id).not.toBe(before);
    expect(draft()?.points).toHaveLength(1);
  });
});

describe("a preview under the pointer", () => {
  it("has one question under way, for the newest place, and leaves the draft alone", async () => {
    const { conversation, asked, draft, store } = open();
    conversation.hover([7, 46]);
    for (let step = 1; step < 20; step += 1) conversation.hover([7 + step / 100, 46]);
    expect(asked()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(70);
    expect(asked()).toHaveLength(2);
    expect(asked()[1]).toMatchObject({ hover: true, points: [{ lon: 7.19 }] });
    conversation.receive(suggestion({ hover: true, promptSeq: 2 }));
    expect([draft(), store.get().preview?.promptSeq]).toEqual([null, 2]);
    conversation.receive(suggestion({ hover: true, promptSeq: 1 }));
    expect(store.get().preview?.promptSeq).toBe(2);
  });

  it("waits for the answer to a click", () => {
    const { conversation, asked } = open();
    conversation.addPoint([7, 46], 1);
    conversation.hover([7.1, 46]);
    expect(asked()).toHaveLength(1);
  });

  it("ends with the key, and late answers do not bring it back", () => {
    const { conversation, store } = open();
    conversation.hover([7, 46]);
    conversation.endHover();
    conversation.receive(suggestion({ hover: true, promptSeq: 1 }));
    expect(store.get().preview).toBeNull();
  });
});
