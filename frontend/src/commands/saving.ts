/** Carries changes from the store to the server: acknowledged, refused, merged, or left to a person to decide. */
import { sameGeometry } from "../geo/shapes";
import { newId } from "../model/ids";
import type { ApiError } from "../net/http";
import { Outbox } from "../net/outbox";
import { annotationSchema, type Annotation } from "../protocol/entities";
import { confirm } from "../store/apply";
import { rebased, withReplacement } from "../store/rebase";
import { effective, reconciled } from "../store/reconcile";
import type { Op, Step } from "../store/state";
import { resolveConflict } from "./conflict";
import { notify, type Context } from "./context";
import { sendOp } from "./sendOp";

export class Saving {
  private readonly outbox: Outbox<Op>;
  private ended = false;

  /** What one person could not send yet is kept apart from what another one on this browser could not. */
  constructor(
    private readonly context: Context,
    projectId: string,
    userId: string,
    send: (op: Op) => Promise<Annotation> = sendOp,
  ) {
    // The changes of a project that was closed are sent on, and nothing of it is said to the next one.
    const current = (tell: () => void) => {
      if (!this.ended) tell();
    };
    this.outbox = new Outbox<Op>(window.localStorage, `edgewise.outbox.${projectId}.${userId}`, {
      send,
      saved: (op, annotation) => current(() => this.saved(op, annotation)),
      refused: (op, error) => current(() => this.refused(op, error)),
      conflict: (op, theirs) => current(() => this.conflict(op, theirs)),
      busy: (saving) => current(() => this.context.store.set({ saving })),
    });
  }

  restore(): readonly Op[] {
    return this.outbox.restore();
  }

  save(op: Op): void {
    this.context.store.addOp(op);
    this.outbox.add(op);
  }

  /** Goes on at once: the connection is back, or the user wants it. */
  now(): void {
    this.outbox.retryNow();
  }

  /** After a conflict: which version stays. */
  resolve(keep: "mine" | "theirs"): void {
    const resolved = resolveConflict(this.context, keep);
    if (resolved !== null) this.goOn(resolved.annotation, resolved.change);
  }

  /** Sends on, but tells no more. */
  end(): void {
    this.ended = true;
  }

  private saved(op: Op, annotation: Annotation): void {
    this.context.store.update((state) => {
      const outbox = state.outbox.filter((one) => one.id !== op.id);
      const next = confirm({ ...state, outbox }, annotation);
      const steps = (list: readonly Step[]) => withStored(list, op, annotation);
      const [undo, redo] = [steps(next.undo), steps(next.redo)];
      return { ...next, undo, redo, annotations: reconciled(next, [op.annotation]), refused: 0 };
    });
  }

  private refused(op: Op, error: ApiError): void {
    const { store } = this.context;
    store.dropOp(op.id);
    for (const later of this.outbox.drop((one) => one.annotation === op.annotation)) store.dropOp(later.id);
    store.update((state) => {
      const refused = state.refused + 1;
      if (op.kind === "status") return { ...state, refused };
      // Steps on what never came to be lead nowhere.
      const others = (step: { readonly annotation: string }) => step.annotation !== op.annotation;
      return { ...state, refused, undo: state.undo.filter(others), redo: state.redo.filter(others) };
    });
    notify(this.context, { message: error.message });
  }

  private conflict(op: Op, current: unknown): void {
    const { store } = this.context;
    const theirs = annotationSchema.parse(current);
    const again = rebased(op, theirs, newId());
    if (again !== null) {
      store.update((state) => confirm(state, theirs));
      this.goOn(op.annotation, (queue) => withReplacement(queue, op.id, again));
      return;
    }
    const mine = effective(store.get(), op.annotation) ?? theirs;
    store.update((state) => ({ ...confirm(state, theirs), conflict: { id: op.annotation, op, mine, theirs } }));
  }

  /** Sends on after a conflict, and shows what is left to be sent. */
  private goOn(annotation: string, change: (queue: readonly Op[]) => readonly Op[]): void {
    const outbox = this.outbox.resolve(change);
    this.context.store.update((state) => {
      const next = { ...state, outbox };
      return { ...next, annotations: reconciled(next, [annotation]) };
    });
  }
}

/**
 * The steps, where a geometry that was sent is the one that was stored: in a class that shares borders or joins lines the server fits
 * it to its neighbours, and undo asks whether the shape still is as the step left it.
 */
function withStored(steps: readonly Step[], op: Op, { id, geometry }: Annotation): readonly Step[] {
  const sent = op.kind === "edit" ? op.fields.geometry : undefined;
  if (sent === undefined || sameGeometry(sent, geometry)) return steps;
  const stored = (change: Step["undo"]): Step["undo"] =>
    change.kind === "edit" && change.fields.geometry !== undefined && sameGeometry(change.fields.geometry, sent)
      ? { ...change, fields: { ...change.fields, geometry } }
      : change;
  return steps.map((step) =>
    step.annotation === id ? { ...step, undo: stored(step.undo), redo: stored(step.redo) } : step,
  );
}
