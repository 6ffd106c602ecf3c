/** Sends changes in order until each is acknowledged; survives lost connections, killed servers and reloads. */
import type { Annotation } from "../protocol/entities";
import { ApiError } from "./http";
import { Shelf, type ShelfStorage } from "./shelf";

export interface Outgoing {
  readonly id: string;
}

export interface OutboxEvents<T extends Outgoing> {
  send(op: T): Promise<Annotation>;
  saved(op: T, annotation: Annotation): void;
  /** Refused for good; the change is rolled back. */
  refused(op: T, error: ApiError): void;
  /** Somebody else was faster; the outbox waits until `resolve`. */
  conflict(op: T, current: unknown): void;
  busy(sending: boolean): void;
}

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 10_000;

export class Outbox<T extends Outgoing> {
  private queue: readonly T[] = [];
  private running = false;
  private halted = false;
  private wake: (() => void) | null = null;
  private readonly shelf: Shelf<T>;

  constructor(
    storage: ShelfStorage,
    key: string,
    private readonly events: OutboxEvents<T>,
  ) {
    this.shelf = new Shelf<T>(storage, key);
  }

  /** Changes that an earlier page of this browser could not send any more. */
  restore(): readonly T[] {
    this.queue = this.shelf.read();
    return this.queue;
  }

  add(op: T): void {
    this.change([...this.queue, op]);
    void this.run();
  }

  /** Goes on at once instead of waiting for the next try. */
  retryNow(): void {
    this.wake?.();
    void this.run();
  }

  /** After a conflict: goes on with the queue as it is changed, and gives it back. */
  resolve(change: (queue: readonly T[]) => readonly T[]): readonly T[] {
    this.change(change(this.queue));
    this.halted = false;
    void this.run();
    return this.queue;
  }

  /** Drops what else was to be done to something that turned out not to be changeable. */
  drop(matches: (op: T) => boolean): readonly T[] {
    const gone = this.queue.filter(matches);
    this.change(this.queue.filter((op) => !matches(op)));
    return gone;
  }

  async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    try {
      await this.sendAll();
    } finally {
      this.running = false;
      this.events.busy(false);
    }
  }

  private async sendAll(): Promise<void> {
    let wait = FIRST_WAIT_MS;
    while (!this.halted) {
      const op = this.queue[0];
      if (op === undefined) break;
      this.events.busy(true);
      try {
        const annotation = await this.events.send(op);
        this.done(op);
        this.events.saved(op, annotation);
        wait = FIRST_WAIT_MS;
      } catch (reason) {
        if (!(reason instanceof ApiError)) throw reason;
        if (mayPass(reason)) {
          await this.pause(wait * (0.5 + Math.random()));
          wait = Math.min(wait * 2, LONGEST_WAIT_MS);
        } else if (reason.code === "annotation.conflict") {
          this.halted = true;
          this.events.conflict(op, reason.details["current"]);
        } else {
          this.done(op);
          this.events.refused(op, reason);
        }
      }
    }
  }

  private done(op: T): void {
    this.change(this.queue.filter((one) => one.id !== op.id));
  }

  private change(queue: readonly T[]): void {
    this.queue = queue;
    this.shelf.write(queue);
  }

  private async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = null;
  }
}

/** Whether the same request may succeed later: the network, the server, a limit or a lost session was in the way. */
function mayPass({ status }: ApiError): boolean {
  return status === 0 || status >= 500 || status === 401 || status === 408 || status === 429;
}
