/** The click conversation: prompts in, the newest answer out; nothing is lost with the connection. */
import type { Geometry } from "../geo/geometry";
import type { Bbox, LonLat } from "../geo/lonlat";
import { shorterSideOf } from "../geo/measure";
import { decodeLine } from "../geo/polyline";
import { newId } from "../model/ids";
import type { OutlineRecipe } from "../protocol/entities";
import type { ClientMessage, PromptPoint, ServerMessage, SuggestionMessage } from "../protocol/socket";
import { draftClass } from "../store/classFor";
import type { Candidate, Draft } from "../store/state";
import type { Store } from "../store/store";

const NO_ANSWER_MS = 15_000;
const HOVER_MS = 60;

export class Conversation {
  private promptSeq = 0;
  private hoverWaiting: LonLat | null = null;
  private hoverTimer: ReturnType<typeof setTimeout> | null = null;
  private hoverSeq = 0;
  private watchdog: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly store: Store,
    private readonly send: (message: ClientMessage) => boolean,
  ) {}

  addPoint(lonlat: LonLat, label: 0 | 1): void {
    const draft = this.draftOrNew();
    if (draft === null) return;
    this.ask({ ...draft, points: [...draft.points, { lon: lonlat[0], lat: lonlat[1], label }] });
  }

  setBox(box: Bbox): void {
    const draft = this.draftOrNew();
    if (draft !== null) this.ask({ ...draft, box });
  }

  /** Takes the last prompt back; the draft goes with its only one. */
  undoPrompt(): boolean {
    const { draft } = this.store.get();
    if (draft === null) return false;
    if (draft.points.length > 0) {
      const points = draft.points.slice(0, -1);
      if (points.length === 0 && draft.box === null) this.clear();
      else this.ask({ ...draft, points });
    } else this.clear();
    return true;
  }

  /** Shows the next candidate at once, and asks for its full outline: all but the first come coarse. */
  cycle(by: 1 | -1): void {
    const { draft } = this.store.get();
    if (draft === null || draft.candidates.length < 2) return;
    const count = draft.candidates.length;
    this.redraw((draft.chosen + by + count) % count);
  }

  /** Another class may be drawn in another way: what is shown is asked for again. */
  classChanged(): void {
    const { draft } = this.store.get();
    if (draft !== null && draft.phase === "shown") this.reshape(null);
  }

  /** Draws the mask by another recipe, or by the class's own again. */
  reshape(shaping: OutlineRecipe | null): void {
    const { draft } = this.store.get();
    if (draft?.phase !== "shown") return;
    this.store.set({ draft: { ...draft, shaping } });
    this.redraw(draft.chosen);
  }

  /** Asks for a candidate's full outline while what there is of it is shown. */
  private redraw(chosen: number): void {
    const { draft } = this.store.get();
    if (draft === null) return;
    this.promptSeq += 1;
    this.store.set({ draft: { ...draft, chosen, promptSeq: this.promptSeq, fit: null, problem: null } });
    const candidate = draft.candidates[chosen]?.index;
    const message = this.submit(draft, this.promptSeq, draft.points, draft.box, false);
    this.send(candidate === undefined ? message : { ...message, candidate });
  }

  /** Gives the draft up; or, saved as an annotation, asks the server to keep its mask beside that. */
  clear(annotation?: string): void {
    const { draft } = this.store.get();
    this.unwatch();
    if (draft !== null) {
      const kept = annotation === undefined ? {} : { annotation };
      this.send({ type: "prompt.clear", draft: draft.id, ...kept });
    }
    this.store.set({ draft: null });
    this.endHover();
  }

  /** The project is closed: nothing is asked any more. */
  forget(): void {
    this.unwatch();
    this.endHover();
  }

  /** The connection is back: what was asked and not answered is asked again. */
  resume(): void {
    const { draft } = this.store.get();
    if (draft !== null && (draft.phase !== "shown" || draft.growing)) this.ask(draft);
  }

  /** Previews what a click here would give; at most one question is under way. */
  hover(lonlat: LonLat): void {
    this.hoverWaiting = lonlat;
    if (this.hoverTimer === null) this.sendHover();
  }

  endHover(): void {
    this.hoverWaiting = null;
    if (this.hoverTimer !== null) clearTimeout(this.hoverTimer);
    this.hoverTimer = null;
    this.hoverSeq = 0;
    if (this.store.get().preview !== null) this.store.set({ preview: null });
  }

  receive(message: ServerMessage): void {
    switch (message.type) {
      case "suggestion":
        if (message.hover) this.showPreview(message);
        else this.show(message);
        break;
      case "suggestion.pending":
        this.change(message.promptSeq, {
          phase: "encoding",
          readyAt: Date.now() + message.seconds * 1000,
        });
        this.watch(message.promptSeq, message.seconds * 1000 + NO_ANSWER_MS);
        break;
      case "suggestion.failed":
        this.unwatch(message.promptSeq);
        this.change(message.promptSeq, { phase: "failed", problem: message.error.message });
        break;
      default:
    }
  }

  private draftOrNew(): Draft | null {
    const { draft, activeRaster } = this.store.get();
    if (activeRaster === null) return null;
    if (draft !== null && draft.raster === activeRaster) return draft;
    return {
      id: newId(),
      raster: activeRaster,
      points: [],
      box: null,
      promptSeq: 0,
      phase: "waiting",
      readyAt: null,
      candidates: [],
      chosen: 0,
      windows: [],
      growing: false,
      model: null,
      recipe: "",
      startedAt: Date.now(),
      problem: null,
      shaping: null,
      fit: null,
    };
  }

  private ask(draft: Draft): void {
    this.endHover();
    this.promptSeq += 1;
    const fresh = { phase: "waiting", problem: null, readyAt: null, fit: null, growing: false } as const;
    const asked: Draft = { ...draft, ...fresh, promptSeq: this.promptSeq };
    this.store.set({ draft: asked });
    this.send(this.submit(asked, this.promptSeq, asked.points, asked.box, false));
    this.watch(this.promptSeq, NO_ANSWER_MS);
  }

  /** An answer that never comes, though the connection stands, is asked for again. */
  private watch(promptSeq: number, ms: number): void {
    if (promptSeq !== this.store.get().draft?.promptSeq) return;
    this.unwatch();
    this.watchdog = setTimeout(() => this.resume(), ms);
  }

  /** A late answer to older prompts leaves the newest ones watched. */
  private unwatch(promptSeq?: number): void {
    if (promptSeq !== undefined && promptSeq !== this.store.get().draft?.promptSeq) return;
    if (this.watchdog !== null) clearTimeout(this.watchdog);
    this.watchdog = null;
  }

  private sendHover(): void {
    const { activeRaster, draft } = this.store.get();
    const at = this.hoverWaiting;
    this.hoverTimer = null;
    if (at === null || activeRaster === null) return;
    if (draft !== null && (draft.phase === "waiting" || draft.phase === "encoding")) return;
    this.hoverWaiting = null;
    this.promptSeq += 1;
    this.hoverSeq = this.promptSeq;
    const base = draft ?? { id: newId(), raster: activeRaster, points: [], box: null, shaping: null };
    const points = [...base.points, { lon: at[0], lat: at[1], label: 1 as const }];
    this.send(this.submit(base, this.promptSeq, points, base.box, true));
    this.hoverTimer = setTimeout(() => this.sendHover(), HOVER_MS);
  }

  private showPreview(message: SuggestionMessage): void {
    const geometry = message.candidates[0] === undefined ? null : candidateOf(message.candidates[0]).geometry;
    const preview = this.store.get().preview;
    if (this.hoverSeq === 0 || (preview !== null && message.promptSeq < preview.promptSeq)) return;
    this.store.set({ preview: geometry === null ? null : { promptSeq: message.promptSeq, geometry } });
  }

  private show(message: SuggestionMessage): void {
    const candidates = message.candidates.map(candidateOf);
    this.unwatch(message.promptSeq);
    this.change(message.promptSeq, {
      phase: candidates.length > 0 ? "shown" : "failed",
      candidates,
      chosen: message.chosen,
      windows: message.windows.map(({ col, row, size, polygon }) => ({
        col,
        row,
        size,
        outline: polygon.map(([lon = 0, lat = 0]) => [lon, lat] as const),
      })),
      growing: message.growing ?? false,
      model: message.model,
      recipe: message.recipe,
      readyAt: null,
      problem: message.hint ?? null,
    });
  }

  /** Changes the draft if this is the answer to its newest prompts; stale answers are dropped. */
  private change(promptSeq: number, fields: Partial<Draft>): void {
    this.store.update((state) =>
      state.draft?.promptSeq === promptSeq ? { ...state, draft: { ...state.draft, ...fields } } : state,
    );
  }

  private submit(
    draft: Pick<Draft, "id" | "raster" | "shaping">,
    promptSeq: number,
    points: readonly PromptPoint[],
    box: Bbox | null,
    hover: boolean,
  ): Extract<ClientMessage, { type: "prompt.submit" }> {
    const labelClass = draftClass(this.store.get());
    const { facts } = this.store.get();
    const view = facts === null ? 0 : Number(shorterSideOf(facts.extent).toPrecision(3));
    return {
      type: "prompt.submit",
      promptSeq,
      draft: draft.id,
      raster: draft.raster,
      points,
      box,
      hover,
      feedback: true,
      ...(labelClass === null ? {} : { label_class: labelClass.id }),
      ...(view > 0 ? { view_m: view } : {}),
      ...(draft.shaping === null ? {} : { recipe: draft.shaping }),
    };
  }
}

function candidateOf(said: SuggestionMessage["candidates"][number]): Candidate {
  const line = (text: string) => decodeLine(text, said.digits).map(([lon, lat]) => [lon, lat]);
  const geometry =
    said.lines === undefined ? groundOf(said.rings.map((rings) => rings.map(line))) : wayOf(said.lines.map(line));
  return {
    geometry,
    score: said.score,
    area_m2: said.area_m2,
    index: said.index,
    ...(said.raw_vertices === undefined ? {} : { rawVertices: said.raw_vertices }),
    ...(said.width_m === undefined ? {} : { width: said.width_m }),
  };
}

function groundOf(parts: number[][][][]): Geometry {
  const only = parts[0];
  return parts.length === 1 && only !== undefined
    ? { type: "Polygon", coordinates: only }
    : { type: "MultiPolygon", coordinates: parts };
}

function wayOf(lines: number[][][]): Geometry {
  const only = lines[0];
  return lines.length === 1 && only !== undefined
    ? { type: "LineString", coordinates: only }
    : { type: "MultiLineString", coordinates: lines };
}
