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
    const { socket } = this;
    this.socket = null;
    socket?.close(1000);
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
    this.heard = Date.now();
    this.pinger = setInterval(() => this.ping(), PING_MS);
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (this.socket !== socket) return;
      this.heard = Date.now();
      const message = serverMessageSchema.parse(JSON.parse(String(event.data)));
      if (message.type === "hello") {
        this.wait = FIRST_WAIT_MS;
        this.everOpen = true;
        this.events.state("open");
      }
      this.events.message(message);
    };
    socket.onclose = (event) => this.lost(socket, event.code);
  }

  private lost(socket: WebSocket, code: number): void {
    if (this.socket !== socket) return;
    if (this.pinger !== null) clearInterval(this.pinger);
    this.socket = null;
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
    const { socket } = this;
    if (socket === null || Date.now() - this.heard <= SILENCE_MS) {
      this.send({ type: "ping", t: Date.now() });
      return;
    }
    // The other end is gone without a word: its answer to a farewell would be waited for in vain.
    this.lost(socket, 1006);
    socket.close();
  }
}
