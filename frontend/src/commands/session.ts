/** Opens a project: loads it, follows its events, sends changes until they are acknowledged. */
import { api } from "../net/api";
import { ApiError } from "../net/http";
import { ProjectSocket } from "../net/socket";
import type { ProjectEvent } from "../protocol/entities";
import type { Role } from "../protocol/rest";
import type { ServerMessage } from "../protocol/socket";
import { Conversation } from "../segment/conversation";
import { reconciled } from "../store/reconcile";
import type { State } from "../store/state";
import { Store } from "../store/store";
import { withJob, withPresence, withWindow } from "../store/told";
import { notify, type Context } from "./context";
import { Fitting } from "./fitting";
import { Follower } from "./follower";
import { loadProject, type Loaded } from "./loading";
import { Saving } from "./saving";
import { chooseTool, toolAvailable, zoomToRaster } from "./view";

const PRESENCE_MS = 150;
const RELOAD_MS = 2000;

export class Session {
  readonly store = new Store();
  readonly conversation: Conversation;
  readonly context: Context;
  private socket: ProjectSocket | null = null;
  private saving: Saving | null = null;
  private follower: Follower | null = null;
  private presenceTimer: ReturnType<typeof setTimeout> | null = null;
  private presenceSaid = "";
  private greeted = false;

  constructor() {
    this.conversation = new Conversation(this.store, (message) => this.socket?.send(message) ?? false);
    new Fitting(this.store);
    this.context = { store: this.store, conversation: this.conversation, save: (op) => this.saving?.save(op) };
  }

  open(projectId: string): void {
    if (this.store.get().projectId === projectId) return;
    this.close();
    this.store.set({ projectId });
    void this.load(projectId);
  }

  close(): void {
    this.socket?.close();
    this.follower?.end();
    this.saving?.end();
    this.socket = null;
    this.follower = null;
    this.saving = null;
    this.greeted = false;
    this.conversation.forget();
    this.store.reset();
  }

  /** After a conflict: which version stays. */
  resolve(keep: "mine" | "theirs"): void {
    this.saving?.resolve(keep);
  }

  retrySaving(): void {
    this.saving?.now();
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

  loadWindows(raster: string): void {
    quietly(api.rasters.windows(raster), (found) => {
      if (this.store.get().activeRaster !== raster) return;
      const list = found.windows.map((one) => ({
        col: one.col,
        row: one.row,
        size: found.size,
        state: one.state,
        outline: one.polygon.map(([lon = 0, lat = 0]) => [lon, lat] as const),
      }));
      this.store.set({ windows: { raster, list } });
    });
  }

  private async load(projectId: string): Promise<void> {
    const open = () => this.store.get().projectId === projectId;
    try {
      const loaded = await loadProject(projectId);
      if (!open()) return;
      if (loaded === null) this.store.set({ connection: "refused" });
      else this.start(projectId, loaded);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (!open()) return;
      const gone = reason.status === 404 || reason.status === 401 || reason.status === 403;
      this.store.set({ connection: gone ? "refused" : "lost" });
      if (!gone) setTimeout(() => open() && void this.load(projectId), RELOAD_MS);
    }
  }

  private start(projectId: string, loaded: Loaded): void {
    const saving = new Saving(this.context, projectId, loaded.me.id);
    const outbox = saving.restore();
    const viewable = loaded.rasters.filter((raster) => raster.state === "viewable");
    const first = viewable.at(0)?.id ?? null;
    this.store.update((state) => {
      const next: State = {
        ...state,
        ...loaded,
        loaded: true,
        outbox,
        activeRaster: first,
        activeClass: loaded.classes[0]?.id ?? null,
        tool: loaded.role === "viewer" || state.review ? "select" : "click",
        layers: viewable.map((raster, index) => ({ id: raster.id, visible: index === 0, opacity: 1 })),
      };
      const all = [...loaded.confirmed.keys(), ...outbox.map((op) => op.annotation)];
      return { ...next, annotations: reconciled(next, all) };
    });
    this.saving = saving;
    this.follower = new Follower(this.store, {
      fetchSince: (seq) => api.projects.events(projectId, seq),
      followed: (events) => this.followed(events),
      failed: () => notify(this.context, { text: "behind" }),
    });
    if (first !== null) zoomToRaster(this.context, first);
    this.connect(projectId);
    saving.now();
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
        this.greet(message);
        break;
      case "event":
        this.follower?.hear(message.event);
        break;
      case "event.hint":
        this.follower?.hearOf(message.seq);
        break;
      case "job":
        this.store.update((state) => withJob(state, message.job));
        if (message.job.kind === "encode" && message.job.state !== "running") this.countEncoded(message.job.raster);
        break;
      case "window":
        this.store.update((state) => withWindow(state, message));
        break;
      case "presence":
        this.store.update((state) => withPresence(state, message.session, message));
        break;
      case "presence.left":
        this.store.update((state) => withPresence(state, message.session, null));
        break;
      case "role.changed":
        this.changeRole(message.role);
        break;
      case "error":
        notify(this.context, { message: message.message });
        break;
      case "pong":
        break;
      default:
        this.conversation.receive(message);
    }
  }

  private greet(hello: Extract<ServerMessage, { type: "hello" }>): void {
    this.store.set({
      me: hello.user,
      session: hello.session,
      presence: hello.members.filter((one) => one.session !== hello.session),
    });
    this.changeRole(hello.role);
    this.presenceSaid = "";
    this.tellPresence();
    this.follower?.hearOf(hello.seq);
    this.conversation.resume();
    this.saving?.now();
    if (this.greeted) this.askForLostHints();
    this.greeted = true;
  }

  /** Progress that was told while the connection was lost is told by nobody again. */
  private askForLostHints(): void {
    const { projectId, activeRaster } = this.store.get();
    if (projectId === null) return;
    quietly(api.projects.jobs(projectId), (jobs) => {
      if (this.store.get().projectId === projectId) this.store.set({ jobs });
    });
    if (activeRaster !== null) this.countEncoded(activeRaster);
  }

  private changeRole(role: Role): void {
    this.store.set({ role });
    if (!toolAvailable({ role }, this.store.get().tool)) chooseTool(this.context, "select");
  }

  private followed(events: readonly ProjectEvent[]): void {
    if (events.some((event) => event.kind.startsWith("raster."))) this.followRasters();
    // It may have another model: what is encoded is counted by that one.
    if (events.some((event) => event.kind === "project.changed")) {
      for (const raster of this.store.get().rasters) this.countEncoded(raster.id);
    }
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
    if (none) this.conversation.clear();
    this.store.set({
      layers: [...fresh.map((raster) => ({ id: raster.id, visible: none, opacity: 1 })), ...kept],
      ...(none ? { activeRaster: first?.id ?? kept.at(0)?.id ?? null } : {}),
    });
    if (none && first !== undefined) zoomToRaster(this.context, first.id);
  }

  private countEncoded(raster: string | null): void {
    if (raster === null) return;
    quietly(api.rasters.get(raster), (fresh) =>
      this.store.update((old) => ({
        ...old,
        rasters: old.rasters.map((one) => (one.id === fresh.id ? fresh : one)),
      })),
    );
    if (raster === this.store.get().activeRaster) this.loadWindows(raster);
  }
}

/** For what is only good to know: where it fails, the next word about it will do. */
function quietly<T>(asked: Promise<T>, then: (answer: T) => void): void {
  asked.then(then, (reason: unknown) => {
    if (!(reason instanceof ApiError)) throw reason;
  });
}
