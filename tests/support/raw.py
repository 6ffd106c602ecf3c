"""A connection on which the test itself writes every byte: what no browser would send."""

import base64
import secrets
import socket
import struct
from collections.abc import Iterable
from typing import Any

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Raw:
    """A TCP connection to a server on the loopback; `small` takes little into the kernel's own buffer."""

    def __init__(self, port: int, *, small: bool = False, seconds: float = 15) -> None:
        self.socket = socket.socket()
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(seconds)
        self.socket.connect(("127.0.0.1", port))
        self._read = b""

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *parts: bytes) -> bool:
        """Writes; False when the server has hung up."""
        try:
            for part in parts:
                self.socket.sendall(part)
        except ConnectionError:
            return False
        return True

    def head(self) -> str:
        """The first line of the answer, after reading all of its head; empty when the server has hung up."""
        while b"\r\n\r\n" not in self._read:
            more = self._more()
            if not more:
                break
            self._read += more
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        return head.decode("latin-1").partition("\r\n")[0]

    def upgrade(self, path: str, headers: Iterable[tuple[str, str]] = ()) -> str:
        """Asks for a websocket; the first line of the answer."""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return self.head()

    def frame(self) -> tuple[int, bytes] | None:
        """The next frame's kind and content; None when the server has hung up."""
        first = self._exactly(2)
        if first is None:
            return None
        length = first[1] & 127
        if length > 125:
            longer = self._exactly(2 if length == 126 else 8)
            if longer is None:
                return None
            length = int.from_bytes(longer, "big")
        content = self._exactly(length)
        return None if content is None else (first[0] & 15, content)

    def close_code(self) -> int | None:
        """The code of the close frame, other frames passed over; None when the server hung up without one."""
        while (frame := self.frame()) is not None:
            if frame[0] == CLOSE:
                return int.from_bytes(frame[1][:2], "big")
        return None

    def gone(self) -> bool:
        """Whether the server has hung up, after reading what it had sent."""
        while self._more():
            pass
        return True

    def _exactly(self, count: int) -> bytes | None:
        while len(self._read) < count:
            more = self._more()
            if not more:
                return None
            self._read += more
        found, self._read = self._read[:count], self._read[count:]
        return found

    def _more(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except ConnectionError:
            return b""


def frame(kind: int, content: bytes = b"", *, last: bool = True, reserved: int = 0, **says: Any) -> bytes:
    """A client's frame; `length` may say another length than the content has."""
    length = says.get("length", len(content))
    first = bytes([last << 7 | reserved << 4 | kind])
    if length < 126:
        sized = bytes([128 | length])
    elif length < 2**16:
        sized = bytes([128 | 126]) + struct.pack("!H", length)
    else:
        sized = bytes([128 | 127]) + struct.pack("!Q", length)
    return first + sized + bytes(4) + content
