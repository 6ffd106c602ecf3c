/** Follows a project's numbered events without a gap: what was missed is asked for until level. */
import { ApiError } from "../net/http";
import type { ProjectEvent } from "../protocol/entities";
import { apply } from "../store/apply";
import type { Store } from "../store/store";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

export interface EventSource {
  fetchSince(seq: number): Promise<{ readonly events: readonly ProjectEvent[]; readonly seq: number }>;
  /** Events were applied. */
  followed(events: readonly ProjectEvent[]): void;
  /** The server refuses to tell more, or says what this page does not understand. */
  failed(error: unknown): void;
}

export class Follower {
  private heard = 0;
  private levelling = false;
  private ended = false;
  private wake: (() => void) | null = null;

  constructor(
    private readonly store: Store,
    private readonly source: EventSource,
  ) {}

  /** An event that follows the last known one is applied; before any other, the gap is filled. */
  hear(event: ProjectEvent): void {
    if (!this.levelling && event.seq === this.store.get().seq + 1) {
      this.heard = Math.max(this.heard, event.seq);
      this.applyAll([event]);
    } else this.hearOf(event.seq);
  }

  /** Something up to this number has happened. */
  hearOf(seq: number): void {
    this.heard = Math.max(this.heard, seq);
    if (this.behind()) void this.level();
  }

  end(): void {
    this.ended = true;
    this.wake?.();
  }

  private behind(): boolean {
    return !this.ended && this.store.get().seq < this.heard;
  }

  private async level(): Promise<void> {
    if (this.levelling) {
      this.wake?.();
      return;
    }
    this.levelling = true;
    let wait = FIRST_WAIT_MS;
    try {
      while (this.behind()) {
        try {
          const page = await this.source.fetchSince(this.store.get().seq);
          if (this.ended) return;
          this.heard = Math.max(this.heard, page.seq);
          this.applyAll(page.events);
          wait = FIRST_WAIT_MS;
        } catch (reason) {
          if (!(reason instanceof ApiError) || !mayPass(reason)) throw reason;
          await this.pause(wait * (0.5 + Math.random()));
          wait = Math.min(wait * 2, LONGEST_WAIT_MS);
        }
      }
    } catch (reason) {
      this.source.failed(reason);
    } finally {
      this.levelling = false;
    }
  }

  private applyAll(events: readonly ProjectEvent[]): void {
    this.store.update((state) => events.reduce(apply, state));
    this.source.followed(events);
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

function mayPass({ status }: ApiError): boolean {
  return status === 0 || status >= 500 || status === 429;
}
