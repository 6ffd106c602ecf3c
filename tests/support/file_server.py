"""A web server on loopback that serves one file, with ranges, and can be told to misbehave."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Served:
    """What is served, how, and what was asked."""

    content: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)  # bytes after which each of the next answers breaks off
    statuses: list[int] = field(default_factory=list)  # what the next requests are answered instead
    redirect: str = ""
    claims: int | None = None  # a Content-Length that is not true
    asked: list[dict[str, str]] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving(served: Served) -> Iterator[Served]:
    """Serves until left; `served.address` is the server's."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
            if served.statuses:
                self.send_error(served.statuses.pop(0))
            elif served.redirect and not self.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", served.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self._send()

        def _send(self) -> None:
            start = self._start()
            body = served.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
            if served.etag:
                self.send_header("ETag", served.etag)
            self.send_header("Content-Length", str(served.claims or len(body)))
            self.end_headers()
            if served.cut_after:
                body = body[: served.cut_after.pop(0)]
            self.wfile.write(body)
            self.close_connection = True

        def _start(self) -> int:
            asked = self.headers.get("Range")
            same = self.headers.get("If-Range") in (None, served.etag)
            if asked is None or not served.ranges or not same:
                return 0
            return int(asked.removeprefix("bytes=").partition("-")[0])

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
