/** The websocket of a project: reconnects by itself, parses what comes in, knows no domain. */
import { serverMessageSchema, type ClientMessage, type ServerMessage } from "../protocol/socket";

export interface SocketEvents {
  message(message: ServerMessage): void;
  state(state: "connecting" | "open" | "lost" | "refused"): void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 8000;
const PING_MS = 10_000;
const SILENCE_MS = 25_000;
const NO_RETURN = new Set([4401, 4403, 4404]);

export class ProjectSocket {
  private socket: WebSocket | null = null;
  private wait = FIRST_WAIT_MS;
  private heard = 0;
  private everOpen = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private pinger: ReturnType<typeof setInterval> | null = null;
  private ended = false;

  constructor(
    private readonly url: string,
    private readonly events: SocketEvents,
  ) {}

  open(): void {
    this.events.state("connecting");
    this.connect();
    window.addEventListener("online", this.now);
  }

  close(): void {
    this.ended = true;
    window.removeEventListener("online", this.now);
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.pinger !== null) clearInterval(this.pinger);
    this.socket?.close(1000);
    this.socket = null;
  }

  /** Sends if connected; false when it is lost. What must not be lost goes by HTTP. */
  send(message: ClientMessage): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  private connect(): void {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.heard = Date.now();
      this.everOpen = true;
      this.pinger = setInterval(() => this.ping(), PING_MS);
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      this.heard = Date.now();
      const message = serverMessageSchema.parse(JSON.parse(String(event.data)));
      if (message.type === "hello") {
        this.wait = FIRST_WAIT_MS;
        this.events.state("open");
      }
      this.events.message(message);
    };
    socket.onclose = (event) => this.lost(event.code);
  }

  private lost(code: number): void {
    if (this.pinger !== null) clearInterval(this.pinger);
    this.socket = null;
    if (this.ended) return;
    if (NO_RETURN.has(code)) {
      this.events.state("refused");
      return;
    }
    this.events.state(this.everOpen ? "lost" : "connecting");
    const jitter = 0.5 + Math.random();
    this.timer = setTimeout(() => this.connect(), this.wait * jitter);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  private readonly now = (): void => {
    if (this.socket !== null || this.ended) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.wait = FIRST_WAIT_MS;
    this.connect();
  };

  private ping(): void {
    if (Date.now() - this.heard > SILENCE_MS) this.socket?.close();
    else this.send({ type: "ping", t: Date.now() });
  }
}
