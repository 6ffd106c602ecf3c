import { beforeEach, describe, expect, it, vi } from "vitest";
import { ProjectSocket } from "./socket";

class FakeWebSocket {
  static readonly OPEN = 1;
  static all: FakeWebSocket[] = [];
  readyState = 0;
  /** The other end is gone: nothing answers a farewell. */
  mute = false;
  readonly sent: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor(readonly url: string) {
    FakeWebSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(code = 1006): void {
    this.readyState = 3;
    if (!this.mute) this.onclose?.({ code });
  }
  accept(): void {
    this.readyState = 1;
    this.onopen?.();
    const user = { id: "00000000-0000-4000-8000-0000000000a1", display_name: "Mia", colour: "#123456" };
    this.say({ type: "hello", session: "s", user, role: "owner", seq: 3, model: null, members: [] });
  }
  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

function open() {
  const events = { message: vi.fn(), state: vi.fn() };
  const socket = new ProjectSocket("ws://here/ws/projects/1", events);
  socket.open();
  const states = () => events.state.mock.calls.map(([state]) => state as string);
  return { socket, events, states };
}
const last = () => FakeWebSocket.all.at(-1)!;

beforeEach(() => {
  vi.useFakeTimers();
  FakeWebSocket.all = [];
  vi.stubGlobal("WebSocket", FakeWebSocket);
  return () => vi.useRealTimers();
});

describe("the socket of a project", () => {
  it("is open once the server has said hello, and sends then", () => {
    const { socket, events, states } = open();
    expect(socket.send({ type: "ping", t: 1 })).toBe(false);
    last().accept();
    expect(states()).toEqual(["connecting", "open"]);
    expect(events.message).toHaveBeenCalledOnce();
    expect(socket.send({ type: "ping", t: 1 })).toBe(true);
    expect(last().sent).toEqual(['{"type":"ping","t":1}']);
  });

  it("comes back by itself after a loss", async () => {
    const { states } = open();
    last().accept();
    last().close();
    expect(states().at(-1)).toBe("lost");
    await vi.advanceTimersByTimeAsync(1000);
    expect(FakeWebSocket.all).toHaveLength(2);
    last().accept();
    expect(states().at(-1)).toBe("open");
  });

  it("tries less and less often while the server stays away", async () => {
    open();
    for (let tries = 0; tries < 4; tries += 1) {
      last().close();
      await vi.advanceTimersByTimeAsync(20_000);
    }
    const before = FakeWebSocket.all.length;
    last().close();
    await vi.advanceTimersByTimeAsync(1500);
    expect(FakeWebSocket.all).toHaveLength(before);
  });

  it.each([4401, 4403])("does not come back after being refused with %d", async (code) => {
    const { states } = open();
    last().accept();
    last().close(code);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states().at(-1)).toBe("refused");
    expect(FakeWebSocket.all).toHaveLength(1);
  });

  it("gives up a connection on which nothing is heard", async () => {
    const { states } = open();
    last().accept();
    await vi.advanceTimersByTimeAsync(40_000);
    expect(states()).toContain("lost");
  });

  it("stays closed when it is closed here", async () => {
    const { socket } = open();
    last().accept();
    socket.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeWebSocket.all).toHaveLength(1);
  });

  it("takes an unknown message as an error, not as a message", () => {
    const { events } = open();
    last().accept();
    expect(() => last().say({ type: "mystery" })).toThrow();
    expect(events.message).toHaveBeenCalledOnce();
  });

  it("comes back from a connection whose other end is gone without a word", async () => {
    const { states } = open();
    last().accept();
    last().mute = true;
    await vi.advanceTimersByTimeAsync(40_000);
    expect(states()).toContain("lost");
    expect(FakeWebSocket.all.length).toBeGreaterThan(1);
    last().accept();
    expect(states().at(-1)).toBe("open");
  });

  it("closed here, says nothing more of what still arrives", () => {
    const { socket, events } = open();
    last().accept();
    last().mute = true;
    const old = last();
    socket.close();
    old.say({ type: "event.hint", seq: 9 });
    expect(events.message).toHaveBeenCalledOnce();
    expect(events.state).toHaveBeenLastCalledWith("open");
  });
});
