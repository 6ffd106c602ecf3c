"""What uvicorn reads from strangers and from members, with the bounds of `backend.config.wire` (hazards 16, 23).

A toy application, so that what is measured is the reading alone.
"""

import asyncio
import contextlib
import gc
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from backend.config import wire
from backend.config.wire import BoundedHttp, BoundedSocket
from tests.support.raw import CLOSE, PING, PONG, TEXT, Raw, frame
from tests.support.server import free_port


class Toy:
    """An application that says `hello` on each socket, and all `chunk`s it can for the text `more`."""

    def __init__(self) -> None:
        self.open = 0
        self.heard = 0
        self.requests = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.requests += 1
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        self.open += 1
        try:
            await send({"type": "websocket.send", "text": "hello"})
            while (said := await receive())["type"] == "websocket.receive":
                self.heard += 1
                for _ in range(10_000 if said.get("text") == "more" else 0):
                    await send({"type": "websocket.send", "text": "x" * 1000})
                if said.get("text") == "bye":
                    await send({"type": "websocket.close", "code": 4400})
        finally:
            self.open -= 1


class Served:
    """The toy in a thread."""

    def __init__(self, server: uvicorn.Server, toy: Toy, port: int) -> None:
        self.server, self.toy, self.port = server, toy, port

    def connect(self, **options: Any) -> Raw:
        """A websocket that has been greeted."""
        raw = Raw(self.port, **options)
        assert raw.upgrade("/").startswith("HTTP/1.1 101")
        assert raw.frame() == (TEXT, b"hello")
        return raw

    def still_well(self) -> bool:
        """Whether somebody else is served at once."""
        began = time.perf_counter()
        with Raw(self.port) as other:
            other.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            return other.head() == "HTTP/1.1 200 OK" and time.perf_counter() - began < 2


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(wire, "STUCK_SECONDS", 2.5)
    toy, port = Toy(), free_port()
    config = uvicorn.Config(
        toy, port=port, http=BoundedHttp, ws=BoundedSocket, lifespan="off", log_level="error",
        ws_per_message_deflate=False, ws_max_size=131_072, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield Served(server, toy, port)
    finally:
        server.handle_exit(signal.SIGTERM, None)
        thread.join(10)
        gc.collect()  # what the loop left behind complains here, not in the next test
    assert not thread.is_alive()


def until(holds: Any, seconds: float = 8) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_ordinary_requests_and_sockets_pass(served: Served) -> None:
    with served.connect() as raw:
        raw.send(frame(PING, b"abc"), frame(TEXT, b"bye"))
        assert raw.frame() == (PONG, b"abc")
        assert raw.close_code() == 4400
    with Raw(served.port) as raw:
        headers = "".join(f"X-{n}: {'v' * 300}\r\n" for n in range(60))
        for _ in range(3):  # kept alive, each head counted anew
            raw.send(f"GET /{'p' * 3000} HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode())
            assert raw.head() == "HTTP/1.1 200 OK"
            raw._exactly(2)
    assert served.toy.requests == 3


@pytest.mark.parametrize("count", [101, 1000, 10_000, 200_000])
def test_more_headers_than_any_browser_sends_are_refused(served: Served, count: int) -> None:
    with Raw(served.port) as http, Raw(served.port) as socket:
        http.send(b"GET / HTTP/1.1\r\n" + b"X-Dup: a\r\n" * count + b"\r\n")
        assert http.head().startswith("HTTP/1.1 431")
        assert socket.upgrade("/", [("X-Dup", "a")] * count).startswith("HTTP/1.1 431")
        assert http.gone() and socket.gone()
    assert (served.toy.requests, served.toy.open) == (0, 0)
    assert served.still_well()


@pytest.mark.parametrize("part", ["header", "name", "address"])
def test_a_line_without_an_end_is_not_kept(served: Served, part: str) -> None:
    begin = {"header": b"GET / HTTP/1.1\r\nX: ", "name": b"GET / HTTP/1.1\r\n", "address": b"GET /"}[part]
    with Raw(served.port) as raw:
        raw.send(begin)
        sent = 0
        while raw.send(b"a" * 65_536) and sent < 2**26:
            sent += 65_536
        assert sent < 2**25, "the server stopped reading"
    with Raw(served.port) as raw:
        raw.send(begin + b"a" * 100_000)
        assert raw.head() in ("HTTP/1.1 431 Request Header Fields Too Large", "")
    assert served.toy.requests == 0
    assert served.still_well()


def test_one_long_header_of_a_handshake_is_refused_and_not_left_without_an_answer(served: Served) -> None:
    for length in (8000, 9000, 60_000):
        with Raw(served.port) as raw:
            assert raw.upgrade("/", [("Cookie", "c" * length)]).startswith("HTTP/1.1 431")
    with Raw(served.port) as raw:
        assert raw.upgrade("/", [("X", "v"), ("Sec-WebSocket-Key", "not one")]).startswith("HTTP/1.1 400")


def test_who_never_ends_the_head_is_hung_up_on(served: Served) -> None:
    with Raw(served.port) as silent, Raw(served.port) as dawdling:
        dawdling.send(b"GET / HTTP/1.1\r\nX: a")
        began = time.monotonic()
        assert silent.gone() and dawdling.gone()
        assert time.monotonic() - began < 5
    with Raw(served.port) as raw:  # between two requests the server is patient
        raw.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.head() == "HTTP/1.1 200 OK"
        raw._exactly(2)
        time.sleep(0.7)
        raw.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.head() == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("kind", [PING, PONG, TEXT])
def test_a_flood_of_frames_of_any_kind_closes_the_socket(served: Served, kind: int) -> None:
    with served.connect() as raw, served.connect() as bystander:
        raw.send(*[frame(kind, b"{}") * 1000] * 100)
        assert raw.close_code() in (4429, None), "None where the flood itself broke the connection"
        assert raw.gone()
        bystander.send(frame(PING, b"me"))
        assert bystander.frame() == (PONG, b"me")
    one_slice = wire.SLICE_BYTES // len(frame(kind, b"{}"))
    assert served.toy.heard <= wire.FRAME_BURST + wire.FRAMES_PER_SECOND + one_slice
    assert served.still_well()


def test_a_browser_that_says_much_but_not_too_much_is_heard(served: Served) -> None:
    with served.connect() as raw:
        for _ in range(5):
            raw.send(frame(TEXT, b"{}") * 100)
        until(lambda: served.toy.heard == 500)


def test_a_reader_that_takes_nothing_is_hung_up_on(served: Served) -> None:
    with served.connect(small=True) as raw:
        raw.send(frame(TEXT, b"more"))
        until(lambda: served.toy.open == 0)
        assert served.still_well()
    with served.connect(small=True) as slow:  # slow is not stuck
        slow.send(frame(TEXT, b"more"))
        for _ in range(1000):
            found = slow.frame()
            assert found is not None and found[0] == TEXT
            time.sleep(0.001)
        assert served.toy.open == 1


@pytest.mark.parametrize(
    ("bytes_sent", "code"),
    [
        (frame(TEXT, b"x" * 100, length=2**30), 1009),
        (frame(TEXT, b"", length=2**62), 1009),
        (frame(TEXT, b"y" * 70_000, last=False) + frame(0, b"y" * 70_000, last=False), 1009),
        (frame(TEXT, b"zip", reserved=4), 1002),
        (frame(PING, b"p" * 126), 1002),
        (frame(3, b"?"), 1002),
        (frame(0, b"continues nothing"), 1002),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(CLOSE, b"\x03\xe8"), 1000),
    ],
    ids=["1 GB", "4 EiB", "in parts", "compressed", "long ping", "unknown", "no begin", "not UTF-8", "close"],
)
def test_what_breaks_the_rules_closes_the_socket_at_its_first_bytes(
    served: Served, bytes_sent: bytes, code: int
) -> None:
    with served.connect() as raw:
        raw.send(bytes_sent)
        assert raw.close_code() == code
        assert raw.gone()
    assert served.toy.heard == 0
    until(lambda: served.toy.open == 0)


def test_compression_is_never_agreed_on(served: Served) -> None:
    with Raw(served.port) as raw:
        raw.upgrade("/", [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")])
        raw.send(frame(TEXT, b"\x00" * 50, reserved=4))
        assert raw.close_code() == 1002


def test_sockets_that_come_and_go_leave_nothing(served: Served) -> None:
    for _ in range(12):
        with contextlib.suppress(OSError), served.connect() as raw:
            raw.send(frame(TEXT, b"more"))
    until(lambda: served.toy.open == 0 and not served.server.server_state.connections)
    assert served.still_well()
