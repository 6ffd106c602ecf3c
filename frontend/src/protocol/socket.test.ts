import { describe, expect, it } from "vitest";
import { exampleJob, exampleUser } from "./examples";
import { serverMessageSchema } from "./socket";

const id = "00000000-0000-4000-8000-000000000011";
const user = { id: exampleUser().id, display_name: "Mia", colour: "#e8590c" };
const window = { col: 0, row: 896, size: 1024, polygon: [[7, 46]] };
const MESSAGES: Readonly<Record<string, object>> = {
  hello: { session: "s", user, role: "owner", seq: 7, model: { name: "m", hash: "h" }, members: [] },
  suggestion: {
    promptSeq: 3,
    draft: id,
    hover: false,
    candidates: [{ rings: [["A@_@?"]], digits: 8, score: 0.8, area_m2: 12.5, index: 0 }],
    chosen: 0,
    windows: [window],
    model: { name: "m", hash: "h" },
    recipe: "r",
    ms: { wait: 0, decode: 40, vectorize: 3, total: 44 },
  },
  "suggestion.pending": { promptSeq: 3, draft: id, seconds: 2.3 },
  "suggestion.failed": { promptSeq: 3, draft: id, error: { code: "model.missing", message: "Ask an administrator." } },
  event: { event: { seq: 8, kind: "annotation.created", at: "2026-05-10T10:00:00Z", actor: null, data: {} } },
  "event.hint": { seq: 9 },
  job: { job: exampleJob() },
  window: { raster: id, window: { col: 0, row: 0, size: 1024 }, state: "ready" },
  presence: { session: "t", user, cursor: { lon: 7, lat: 46 }, raster: null, editing: null },
  "presence.left": { session: "t" },
  "role.changed": { role: "viewer" },
  pong: { t: 1 },
  error: { code: "live.too_many", message: "Slower, please." },
};

describe("a message of the server", () => {
  it.each(Object.entries(MESSAGES))("%s is understood", (type, fields) => {
    expect(serverMessageSchema.parse({ type, ...fields })).toMatchObject({ type, ...fields });
  });

  it.each(Object.entries(MESSAGES))("%s with a field missing is an error", (type, fields) => {
    for (const missing of Object.keys(fields)) {
      const rest = Object.fromEntries(Object.entries(fields).filter(([name]) => name !== missing));
      expect(() => serverMessageSchema.parse({ type, ...rest }), `${type} without ${missing}`).toThrow();
    }
  });

  it("of another kind, or of none, is an error", () => {
    for (const said of [{ type: "mystery" }, { promptSeq: 1 }, "hello", null, []]) {
      expect(() => serverMessageSchema.parse(said)).toThrow();
    }
  });

  it("with numbers where ids belong is an error", () => {
    const made = { type: "event.hint", seq: "9" };
    expect(() => serverMessageSchema.parse(made)).toThrow();
    expect(() =>
      serverMessageSchema.parse({ type: "suggestion.pending", promptSeq: 1, draft: 5, seconds: 1 }),
    ).toThrow();
    expect(() => serverMessageSchema.parse({ type: "role.changed", role: "emperor" })).toThrow();
  });
});
