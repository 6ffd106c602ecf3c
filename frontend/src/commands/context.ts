/** What commands work with: the store, the conversation with the model, and the way to the server. */
import type { Annotation } from "../protocol/entities";
import type { Conversation } from "../segment/conversation";
import type { NoticeText, Op, State, Step } from "../store/state";
import { beforeOf } from "../store/rebase";
import { effective } from "../store/reconcile";
import type { Store } from "../store/store";
import { newId } from "../model/ids";

export interface Context {
  readonly store: Store;
  readonly conversation: Conversation;
  /** Shows the change at once and sends it until it is acknowledged. */
  save(op: Op): void;
}

const STEPS_KEPT = 200;
const RANK = { viewer: 0, annotator: 1, reviewer: 2, owner: 3 } as const;

export function atLeast(state: Pick<State, "role">, role: keyof typeof RANK): boolean {
  return RANK[state.role] >= RANK[role];
}

/** Whether the user may change this annotation; the server decides in the end. */
export function mayEdit(state: State, id: string): boolean {
  const annotation = effective(state, id);
  if (annotation === undefined) return false;
  if (atLeast(state, "reviewer")) return true;
  if (!atLeast(state, "annotator") || annotation.status === "accepted") return false;
  return annotation.status === "draft" || annotation.author?.id === state.me?.id;
}

type Change =
  | { readonly kind: "edit"; readonly fields: Extract<Op, { kind: "edit" }>["fields"] }
  | { readonly kind: "delete" }
  | { readonly kind: "restore" };

/**
 * Sends a change made on the version the user sees, or on the `base` it was begun on when that took a while: the server
 * then says whether somebody else was faster. False when there is no such annotation.
 */
export function change(context: Context, id: string, what: Change, base?: Annotation): boolean {
  const seen = base ?? effective(context.store.get(), id);
  if (seen === undefined) return false;
  const op = { id: newId(), annotation: id, version: seen.version };
  context.save(what.kind === "edit" ? { ...op, ...what, before: beforeOf(seen, what.fields) } : { ...op, ...what });
  return true;
}

/** Remembers a step that undo takes back; a new step ends what could be done again. */
export function remember(context: Context, step: Step): void {
  context.store.update((state) => ({ ...state, undo: [...state.undo.slice(-STEPS_KEPT + 1), step], redo: [] }));
}

/** Tells the user something once: in the server's words, or in those the panels have for it. */
export function notify(context: Context, what: { readonly message: string } | { readonly text: NoticeText }): void {
  context.store.set({ notice: { at: Date.now(), ...what } });
}
