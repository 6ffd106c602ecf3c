/** Asks how the draft would fit its neighbours, where its class shares borders or joins lines, and shows it before it is accepted. */
import { api } from "../net/api";
import { ApiError } from "../net/http";
import type { Fit, Geometry } from "../protocol/entities";
import { draftClass } from "../store/classFor";
import { isGroundForLine } from "../store/obstacle";
import type { DraftFit } from "../store/state";
import type { Store } from "../store/store";

const STILL_MS = 150;

type Ask = (project: string, labelClass: string, geometry: Geometry, signal: AbortSignal) => Promise<Fit>;

export class Fitting {
  private asked: Geometry | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private under: AbortController | null = null;

  constructor(
    private readonly store: Store,
    private readonly ask: Ask = api.annotations.fit,
  ) {
    store.subscribe(() => this.follow());
  }

  /** One question for each shape that is shown, once it has stood still for a moment. */
  private follow(): void {
    const state = this.store.get();
    const { draft, projectId } = state;
    const labelClass = draftClass(state);
    const geometry = draft?.phase === "shown" ? draft.candidates[draft.chosen]?.geometry : undefined;
    const fits = labelClass?.shared_border_m != null && !isGroundForLine(state);
    const wanted = projectId !== null && fits ? (geometry ?? null) : null;
    if (wanted === this.asked) return;
    this.asked = wanted;
    this.under?.abort();
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (wanted === null || projectId === null || labelClass === null) return;
    this.timer = setTimeout(() => void this.fit(projectId, labelClass.id, wanted), STILL_MS);
  }

  private async fit(project: string, labelClass: string, geometry: Geometry): Promise<void> {
    const { signal } = (this.under = new AbortController());
    try {
      const found = await this.ask(project, labelClass, geometry, signal);
      this.show(geometry, { geometry: found.geometry, neighbours: found.neighbours, problem: null });
    } catch (reason) {
      if (signal.aborted) return; // the shape has changed, or was accepted before the answer came
      if (!(reason instanceof ApiError)) throw reason;
      // Without an answer the shape is shown as it is; accepting it asks the server anyway.
      if (reason.status === 422) this.show(geometry, { geometry: null, neighbours: 0, problem: reason.message });
    }
  }

  private show(geometry: Geometry, fit: DraftFit): void {
    this.store.update((state) => {
      const { draft } = state;
      const same = draft?.phase === "shown" && draft.candidates[draft.chosen]?.geometry === geometry;
      return same ? { ...state, draft: { ...draft, fit } } : state;
    });
  }
}
