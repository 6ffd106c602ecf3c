"""Refuses a request's body that is larger than anything taken here, before any of it is stored."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from backend.core.errors import TooLarge

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
REFUSED = TooLarge().as_json()


class BodyLimit:
    """Wraps an ASGI application: Django keeps a whole body on disk before any view, or policy, sees it."""

    def __init__(self, app: Any, most_bytes: int) -> None:
        self.app = app
        self.most_bytes = most_bytes

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answers 413 where the length is said; hangs up where more comes than may."""
        said = dict(scope.get("headers") or []).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > self.most_bytes:
            body = json.dumps({"error": REFUSED}).encode()
            headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        come = 0

        async def counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            return {"type": "http.disconnect"} if come > self.most_bytes else message

        await self.app(scope, counted, send)
