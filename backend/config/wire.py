"""What the web server reads from a connection, bounded where uvicorn itself sets no bound."""

import asyncio
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_HEADERS, MAX_LINE_BYTES, MAX_HEAD_BYTES = 100, 8000, 64 * 1024
HEAD_SECONDS = 30.0  # from a request's first byte to the end of its headers
FRAMES_PER_SECOND, FRAME_BURST = 200.0, 600.0
SLICE_BYTES = 4096  # so that a flood is seen before much of it is parsed
STUCK_SECONDS = 30.0  # how long a reader may take nothing at all
TOO_MANY = 4429
REFUSED = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 40\r\n\r\nThe request has too many or long headers"
)


class _TooLargeError(ValueError):
    """Ends the parsing of a request."""


class BoundedHttp(HttpToolsProtocol):
    """Answers 431 to more headers than any browser sends, before they are kept; hangs up on who dawdles."""

    _head_bytes = 0
    _in_head = True
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A request is awaited."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what is not yet a whole head."""
        self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head:
            self._head_bytes = 0
        elif self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = True
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def on_url(self, url: bytes) -> None:
        """The address, or a part of it."""
        super().on_url(url)
        if len(self.url) > MAX_LINE_BYTES:
            raise _TooLargeError

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        if len(self.headers) >= MAX_HEADERS or len(name) + len(value) > MAX_LINE_BYTES:
            raise _TooLargeError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._stop_head_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn answers to what cannot be parsed; 431 where it was we who stopped."""
        too_many = self.headers is not None and len(self.headers) >= MAX_HEADERS
        if self._in_head and (too_many or len(self.url) > MAX_LINE_BYTES or self._head_bytes > MAX_LINE_BYTES):
            self._refuse()
        else:
            super().send_400_response(msg)

    def _refuse(self) -> None:
        self.transport.write(REFUSED)
        self.transport.close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class BoundedSocket(WebSocketsSansIOProtocol):
    """Closes on a flood of frames of any kind, and hangs up on a reader that takes nothing."""

    _frames_left = FRAME_BURST
    _frames_at = 0.0
    _stuck_timer: asyncio.TimerHandle | None = None
    _end_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """In small pieces, so that no chunk full of tiny frames holds up the event loop."""
        for start in range(0, len(data), SLICE_BYTES):
            if self.transport.is_closing() or self.disconnected:
                return
            super().data_received(data[start : start + SLICE_BYTES])
        if not self.handshake_initiated and self.conn.handshake_exc is not None:  # uvicorn would leave it open
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()

    def handle_events(self) -> None:
        """Counts the frames of any kind; the application sees only messages, and only those after the handshake."""
        before = len(self.conn.events)
        super().handle_events()
        moment = time.monotonic()
        gained = (moment - self._frames_at) * FRAMES_PER_SECOND
        self._frames_left, self._frames_at = min(FRAME_BURST, self._frames_left + gained) - before, moment
        if self._frames_left < 0 and not self.close_sent:
            self._close_flooded()

    async def send(self, message: Any) -> None:
        """A close that the browser does not take ends with the connection."""
        await super().send(message)
        if message["type"] == "websocket.close":
            self._abort_later()

    def keepalive_timeout(self) -> None:
        """The browser has not answered for long."""
        super().keepalive_timeout()
        self._abort_later()

    def pause_writing(self) -> None:
        """The reader does not keep up."""
        super().pause_writing()
        if self._stuck_timer is None:
            self._stuck_timer = self.loop.call_later(STUCK_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._stop_stuck_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody reads any more."""
        self._stop_stuck_timer()
        if self._end_timer is not None:
            self._end_timer.cancel()
        super().connection_lost(exc)

    def _close_flooded(self) -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": TOO_MANY})
        self.conn.fail(TOO_MANY, "too many messages")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
        self._abort_later()

    def _abort_later(self) -> None:
        """Closing waits until everything is written; not for ever."""
        if self._end_timer is None:
            self._end_timer = self.loop.call_later(STUCK_SECONDS, self.transport.abort)

    def _stop_stuck_timer(self) -> None:
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
            self._stuck_timer = None
