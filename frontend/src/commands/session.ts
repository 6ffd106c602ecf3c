/** Opens a project: loads it, follows its events, sends changes until they are acknowledged. */
import { api } from "../net/api";
import { ApiError } from "../net/http";
import { Outbox } from "../net/outbox";
import { ProjectSocket } from "../net/socket";
import { annotationSchema, type Annotation } from "../protocol/entities";
import type { ServerMessage } from "../protocol/socket";
import { Conversation } from "../segment/conversation";
import { apply, confirm } from "../store/apply";
import { newId } from "../model/ids";
import { rebased, withReplacement } from "../store/rebase";
import { effective, reconciled } from "../store/reconcile";
import type { Op, State } from "../store/state";
import { Store } from "../store/store";
import { resolveConflict } from "./conflict";
import { notify, type Context } from "./context";
import { zoomToRaster } from "./view";

const PAGE = 2000;
const PRESENCE_MS = 150;

export class Session {
  readonly store = new Store();
  readonly conversation: Conversation;
  readonly context: Context;
  private socket: ProjectSocket | null = null;
  private outbox: Outbox<Op> | null = null;
  private levelling: Promise<void> | null = null;
  private presenceTimer: ReturnType<typeof setTimeout> | null = null;
  private presenceSaid = "";

  constructor() {
    this.conversation = new Conversation(this.store, (message) => this.socket?.send(message) ?? false);
    this.context = { store: this.store, conversation: this.conversation, save: (op) => this.save(op) };
  }

  open(projectId: string): void {
    if (this.store.get().projectId === projectId) return;
    this.close();
    this.store.set({ projectId });
    void this.load(projectId).catch((reason: unknown) => this.failed(projectId, reason));
  }

  close(): void {
    this.socket?.close();
    this.socket = null;
    this.outbox = null;
    this.conversation.endHover();
    this.store.reset();
  }

  /** After a conflict: which version stays. */
  resolve(keep: "mine" | "theirs"): void {
    const resolved = resolveConflict(this.context, keep);
    if (resolved !== null) this.goOn(resolved.annotation, resolved.change);
  }

  retrySaving(): void {
    this.outbox?.retryNow();
  }

  /** Tells the others where the pointer is, at most a few times a second. */
  tellPresence(): void {
    if (this.presenceTimer !== null) return;
    this.presenceTimer = setTimeout(() => {
      this.presenceTimer = null;
      const { facts, activeRaster, editing, selected, tool } = this.store.get();
      const at = facts?.cursor ?? null;
      const message = {
        type: "presence.update" as const,
        cursor: at === null ? null : { lon: at[0], lat: at[1] },
        raster: activeRaster,
        editing: editing?.id ?? (tool === "edit" ? selected : null),
      };
      const said = JSON.stringify(message);
      if (said !== this.presenceSaid && this.socket?.send(message) === true) this.presenceSaid = said;
    }, PRESENCE_MS);
  }

  async loadWindows(raster: string): Promise<void> {
    const found = await api.rasters.windows(raster);
    if (this.store.get().activeRaster !== raster) return;
    const list = found.windows.map((one) => ({
      col: one.col,
      row: one.row,
      size: found.size,
      state: one.state,
      outline: one.polygon.map(([lon = 0, lat = 0]) => [lon, lat] as const),
    }));
    this.store.set({ windows: { raster, list } });
  }

  private save(op: Op): void {
    this.store.addOp(op);
    this.outbox?.add(op);
  }

  private async load(projectId: string): Promise<void> {
    const [{ user }, project, classes, rasters, jobs, members, loaded] = await Promise.all([
      api.session.get(),
      api.projects.get(projectId),
      api.classes.list(projectId),
      api.rasters.list(projectId),
      api.projects.jobs(projectId),
      api.members.list(projectId),
      allAnnotations(projectId),
    ]);
    if (this.store.get().projectId !== projectId) return;
    if (user === null) {
      this.store.set({ connection: "refused" });
      return;
    }
    const outbox = this.newOutbox(`edgewise.outbox.${projectId}.${user.id}`);
    this.outbox = outbox;
    const confirmed = new Map(loaded.annotations.map((one) => [one.id, one]));
    const viewable = rasters.filter((raster) => raster.state === "viewable");
    const left = outbox.restore();
    const first = viewable.at(0)?.id ?? null;
    this.store.update((state) => {
      const next: State = {
        ...state,
        loaded: true,
        me: user,
        role: project.role,
        seq: loaded.seq,
        classes,
        rasters,
        jobs,
        members,
        confirmed,
        outbox: left,
        activeRaster: first,
        activeClass: classes[0]?.id ?? null,
        tool: project.role === "viewer" || state.review ? "select" : "click",
        layers: viewable.map((raster, index) => ({ id: raster.id, visible: index === 0, opacity: 1 })),
      };
      return { ...next, annotations: reconciled(next, [...confirmed.keys(), ...left.map((op) => op.annotation)]) };
    });
    if (first !== null) zoomToRaster(this.context, first);
    this.connect(projectId);
    void outbox.run();
  }

  /** What one person could not send yet is kept apart from what another one on this browser could not. */
  private newOutbox(key: string): Outbox<Op> {
    // The outbox of a project that was closed goes on sending, and says nothing about it to the next one.
    const current = (tell: () => void) => {
      if (this.outbox === outbox) tell();
    };
    const outbox: Outbox<Op> = new Outbox<Op>(window.localStorage, key, {
      send: sendOp,
      saved: (op, annotation) => current(() => this.saved(op, annotation)),
      refused: (op, error) => current(() => this.refused(op, error)),
      conflict: (op, theirs) => current(() => this.conflict(op, theirs)),
      busy: (saving) => current(() => this.store.set({ saving })),
    });
    return outbox;
  }

  private failed(projectId: string, reason: unknown): void {
    if (!(reason instanceof ApiError)) throw reason;
    if (this.store.get().projectId !== projectId) return;
    const gone = reason.status === 404 || reason.status === 401 || reason.status === 403;
    this.store.set({ connection: gone ? "refused" : "lost" });
    if (!gone) setTimeout(() => this.reload(projectId), 2000);
  }

  private reload(projectId: string): void {
    const state = this.store.get();
    if (state.projectId === projectId && !state.loaded) {
      void this.load(projectId).catch((reason: unknown) => this.failed(projectId, reason));
    }
  }

  private connect(projectId: string): void {
    const scheme = window.location.protocol === "https:" ? "wss" : "ws";
    this.socket = new ProjectSocket(`${scheme}://${window.location.host}/ws/projects/${projectId}`, {
      message: (message) => this.receive(message),
      state: (connection) => this.store.set({ connection }),
    });
    this.socket.open();
  }

  private receive(message: ServerMessage): void {
    switch (message.type) {
      case "hello":
        this.store.set({
          me: message.user,
          session: message.session,
          role: message.role,
          presence: message.members.filter((one) => one.session !== message.session),
        });
        this.presenceSaid = "";
        if (message.seq > this.store.get().seq) void this.level();
        this.conversation.resume();
        this.outbox?.retryNow();
        break;
      case "event":
        this.follow(message.event.seq, () => this.store.update((state) => apply(state, message.event)));
        if (message.event.kind.startsWith("raster.")) this.followRasters();
        break;
      case "event.hint":
        if (message.seq > this.store.get().seq) void this.level();
        break;
      case "job":
        this.store.update((state) => ({
          ...state,
          jobs: [message.job, ...state.jobs.filter((one) => one.id !== message.job.id)].sort((a, b) =>
            b.created_at.localeCompare(a.created_at),
          ),
        }));
        this.countEncoded(message.job.raster, message.job.kind, message.job.state);
        break;
      case "window":
        this.store.update((state) => withWindow(state, message));
        break;
      case "presence":
        this.store.update((state) => ({
          ...state,
          presence: [...state.presence.filter((one) => one.session !== message.session), message],
        }));
        break;
      case "presence.left":
        this.store.update((state) => ({
          ...state,
          presence: state.presence.filter((one) => one.session !== message.session),
        }));
        break;
      case "role.changed":
        this.store.set({ role: message.role });
        break;
      case "error":
        notify(this.context, message.message);
        break;
      case "pong":
        break;
      default:
        this.conversation.receive(message);
    }
  }

  /** Applies an event that follows the last one; a gap is filled from the server first. */
  private follow(seq: number, then: () => void): void {
    if (this.levelling === null && seq === this.store.get().seq + 1) then();
    else if (seq > this.store.get().seq) void this.level();
  }

  /** Asks for all events after the last known one, until level. */
  private level(): Promise<void> {
    this.levelling ??= this.fetchEvents().finally(() => {
      this.levelling = null;
    });
    return this.levelling;
  }

  private async fetchEvents(): Promise<void> {
    const { projectId } = this.store.get();
    if (projectId === null) return;
    for (;;) {
      const page = await api.projects.events(projectId, this.store.get().seq);
      if (this.store.get().projectId !== projectId) return;
      this.store.update((state) => page.events.reduce(apply, state));
      if (this.store.get().seq >= page.seq) break;
    }
    this.followRasters();
  }

  /** A raster that became viewable gets its layer; the first one is shown. */
  private followRasters(): void {
    const { rasters, layers, activeRaster } = this.store.get();
    const viewable = rasters.filter((raster) => raster.state === "viewable");
    const fresh = viewable.filter((raster) => !layers.some((layer) => layer.id === raster.id));
    const kept = layers.filter((layer) => viewable.some((raster) => raster.id === layer.id));
    if (fresh.length === 0 && kept.length === layers.length) return;
    const first = fresh.at(0);
    const none = activeRaster === null || !viewable.some((raster) => raster.id === activeRaster);
    this.store.set({
      layers: [...fresh.map((raster) => ({ id: raster.id, visible: none, opacity: 1 })), ...kept],
      ...(none ? { activeRaster: first?.id ?? kept.at(0)?.id ?? null } : {}),
    });
    if (none && first !== undefined) zoomToRaster(this.context, first.id);
  }

  private countEncoded(raster: string | null, kind: string, state: string): void {
    if (raster === null || kind !== "encode" || state === "running") return;
    void api.rasters.get(raster).then((fresh) =>
      this.store.update((old) => ({
        ...old,
        rasters: old.rasters.map((one) => (one.id === fresh.id ? fresh : one)),
      })),
    );
    if (raster === this.store.get().activeRaster) void this.loadWindows(raster);
  }

  private saved(op: Op, annotation: Annotation): void {
    this.store.update((state) => {
      const outbox = state.outbox.filter((one) => one.id !== op.id);
      const next = confirm({ ...state, outbox }, annotation);
      return { ...next, annotations: reconciled(next, [op.annotation]), refused: 0 };
    });
  }

  private refused(op: Op, error: ApiError): void {
    this.store.dropOp(op.id);
    for (const later of this.outbox?.drop((one) => one.annotation === op.annotation) ?? []) this.store.dropOp(later.id);
    this.store.update((state) => ({
      ...state,
      refused: state.refused + 1,
      undo: state.undo.filter((step) => op.kind !== "create" || step.annotation !== op.annotation),
    }));
    notify(this.context, error.message);
  }

  /** Sends on after a conflict, and shows what is left to be sent. */
  private goOn(annotation: string, change: (queue: readonly Op[]) => readonly Op[]): void {
    const outbox = this.outbox?.resolve(change) ?? [];
    this.store.update((state) => {
      const next = { ...state, outbox: [...outbox] };
      return { ...next, annotations: reconciled(next, [annotation]) };
    });
  }

  private conflict(op: Op, current: unknown): void {
    const theirs = annotationSchema.parse(current);
    const again = rebased(op, theirs, newId());
    if (again !== null) {
      this.store.update((state) => confirm(state, theirs));
      this.goOn(op.annotation, (queue) => withReplacement(queue, op.id, again));
      return;
    }
    const mine = effective(this.store.get(), op.annotation) ?? theirs;
    this.store.update((state) => ({ ...confirm(state, theirs), conflict: { id: op.annotation, op, mine, theirs } }));
  }
}

function withWindow(
  state: State,
  said: {
    readonly raster: string;
    readonly window: { col: number; row: number; size: number };
    readonly state: string;
  },
): State {
  const { windows } = state;
  if (windows?.raster !== said.raster) return state;
  const list = windows.list.map((one) =>
    one.col === said.window.col && one.row === said.window.row && one.size === said.window.size
      ? { ...one, state: said.state }
      : one,
  );
  return { ...state, windows: { ...windows, list } };
}

async function allAnnotations(project: string): Promise<{ annotations: Annotation[]; seq: number }> {
  const annotations: Annotation[] = [];
  let cursor: string | null = "";
  let seq: number | null = null;
  while (cursor !== null) {
    const page = await api.annotations.list(project, { limit: PAGE, cursor });
    annotations.push(...page.annotations);
    seq ??= page.seq;
    cursor = page.next_cursor;
  }
  return { annotations, seq: seq ?? 0 };
}

function sendOp(op: Op): Promise<Annotation> {
  const guard = { version: op.version, edit_id: op.id };
  switch (op.kind) {
    case "create": {
      const { project, raster, label_class, geometry, attributes, provenance, status } = op.value;
      return api.annotations.put(op.annotation, {
        project,
        raster,
        label_class,
        geometry,
        attributes,
        provenance,
        status,
      });
    }
    case "edit":
      return api.annotations.change(op.annotation, { ...guard, ...op.fields });
    case "delete":
      return api.annotations.remove(op.annotation, guard);
    case "restore":
      return api.annotations.restore(op.annotation, guard);
    case "status":
      return api.annotations.setStatus(op.annotation, { ...guard, status: op.status, comment: op.comment });
  }
}
