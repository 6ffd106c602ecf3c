/** The websocket's messages, parsed at the door; anything unknown is an error. */
import { z } from "zod";
import { eventSchema, jobSchema, type OutlineRecipe } from "./entities";
import { ROLES } from "./rest";

const id = z.uuid();
const person = z.object({ id, display_name: z.string(), colour: z.string() });
const cursor = z.object({ lon: z.number(), lat: z.number() }).nullable();
export const presenceSchema = z.object({
  session: z.string(),
  user: person,
  role: z.string().optional(),
  cursor,
  raster: id.nullable(),
  editing: id.nullable(),
});
export type Presence = z.infer<typeof presenceSchema>;

const position = z.array(z.number()).min(2);
const windowSchema = z.object({
  col: z.number(),
  row: z.number(),
  size: z.number(),
  polygon: z.array(position),
});
const suggestionSchema = z.object({
  type: z.literal("suggestion"),
  promptSeq: z.number(),
  draft: id,
  hover: z.boolean(),
  candidates: z.array(
    z.object({
      rings: z.array(z.array(z.string())),
      lines: z.array(z.string()).optional(),
      width_m: z.number().optional(),
      raw_vertices: z.number().optional(),
      digits: z.number(),
      score: z.number(),
      area_m2: z.number(),
      index: z.number(),
    }),
  ),
  chosen: z.number(),
  windows: z.array(windowSchema),
  growing: z.boolean().optional(),
  model: z.object({ name: z.string(), hash: z.string(), instead_of: z.string().optional() }),
  recipe: z.string(),
  ms: z.record(z.string(), z.number()),
  hint: z.string().optional(),
});
export type SuggestionMessage = z.infer<typeof suggestionSchema>;

export const serverMessageSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    session: z.string(),
    user: person,
    role: z.enum(ROLES),
    seq: z.number(),
    model: z.object({ name: z.string(), hash: z.string() }).nullable(),
    members: z.array(presenceSchema),
  }),
  suggestionSchema,
  z.object({ type: z.literal("suggestion.pending"), promptSeq: z.number(), draft: id, seconds: z.number() }),
  z.object({
    type: z.literal("suggestion.failed"),
    promptSeq: z.number(),
    draft: id,
    error: z.object({ code: z.string(), message: z.string() }),
  }),
  z.object({ type: z.literal("event"), event: eventSchema }),
  z.object({ type: z.literal("event.hint"), seq: z.number() }),
  z.object({ type: z.literal("job"), job: jobSchema }),
  z.object({
    type: z.literal("window"),
    raster: id,
    window: z.object({ col: z.number(), row: z.number(), size: z.number() }),
    state: z.string(),
  }),
  presenceSchema.extend({ type: z.literal("presence") }),
  z.object({ type: z.literal("presence.left"), session: z.string() }),
  z.object({ type: z.literal("role.changed"), role: z.enum(ROLES) }),
  z.object({ type: z.literal("pong"), t: z.number() }),
  z.object({ type: z.literal("error"), code: z.string(), message: z.string(), ref: z.string().optional() }),
]);
export type ServerMessage = z.infer<typeof serverMessageSchema>;

export interface PromptPoint {
  readonly lon: number;
  readonly lat: number;
  readonly label: 0 | 1;
}
export type ClientMessage =
  | {
      readonly type: "prompt.submit";
      readonly promptSeq: number;
      readonly draft: string;
      readonly raster: string;
      readonly points: readonly PromptPoint[];
      readonly box: readonly [number, number, number, number] | null;
      readonly hover: boolean;
      readonly feedback: boolean;
      readonly candidate?: number;
      readonly label_class?: string;
      readonly view_m?: number;
      readonly recipe?: OutlineRecipe;
    }
  | { readonly type: "prompt.clear"; readonly draft: string; readonly annotation?: string }
  | {
      readonly type: "presence.update";
      readonly cursor: { readonly lon: number; readonly lat: number } | null;
      readonly raster: string | null;
      readonly editing: string | null;
    }
  | { readonly type: "ping"; readonly t: number };
