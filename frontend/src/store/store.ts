/** Holds the state and tells who listens when it changes; knows no network. */
import { EMPTY, type Op, type State } from "./state";
import { reconciled } from "./reconcile";

type Listener = () => void;

export class Store {
  private state: State = EMPTY;
  private readonly listeners = new Set<Listener>();

  get = (): State => this.state;

  subscribe = (listener: Listener): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  set(change: Partial<State>): void {
    this.replace({ ...this.state, ...change });
  }

  update(change: (state: State) => State): void {
    this.replace(change(this.state));
  }

  /** Lays a change over what is confirmed; it is shown at once and sent by the outbox. */
  addOp(op: Op): void {
    this.update((state) => withOutbox(state, [...state.outbox, op], op.annotation));
  }

  /** Takes a change out again, because it was acknowledged or refused. */
  dropOp(id: string): void {
    this.update((state) => {
      const op = state.outbox.find((one) => one.id === id);
      if (op === undefined) return state;
      return withOutbox(
        state,
        state.outbox.filter((one) => one.id !== id),
        op.annotation,
      );
    });
  }

  reset(): void {
    this.replace(EMPTY);
  }

  private replace(next: State): void {
    if (next === this.state) return;
    this.state = next;
    for (const listener of [...this.listeners]) listener();
  }
}

function withOutbox(state: State, outbox: readonly Op[], annotation: string): State {
  const next = { ...state, outbox };
  return { ...next, annotations: reconciled(next, [annotation]) };
}
