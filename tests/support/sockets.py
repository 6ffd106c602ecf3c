"""Sockets within the test's own process: the same consumers as the server's, without a network."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import Client

from backend.accounts.models import User
from backend.live.routing import websocket

Headers = list[tuple[bytes, bytes]]
HOST = (b"host", b"localhost:8000")
OWN_PAGE = (b"origin", b"http://localhost:8000")


def cookie_of(user: User) -> tuple[bytes, bytes]:
    """The cookie header of a browser in which the user is signed in."""
    browser = Client()
    browser.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return b"cookie", f"{name}={browser.cookies[name].value}".encode()


def browser_of(user: User) -> Headers:
    """What a browser of the user sends from a page of this site."""
    return [HOST, OWN_PAGE, cookie_of(user)]


class InProcess:
    """One socket; `hello` is what it was greeted with."""

    def __init__(self, project_id: UUID, headers: Headers, query: str = "") -> None:
        scope = {
            "type": "websocket",
            "path": f"/ws/projects/{project_id}",
            "query_string": query.encode(),
            "headers": headers,
            "subprotocols": [],
        }
        self.application = ApplicationCommunicator(websocket, scope)
        self.hello: dict[str, Any] = {}

    async def connect(self) -> bool:
        """Whether the handshake is accepted."""
        await self.application.send_input({"type": "websocket.connect"})
        output = await self.application.receive_output(10)
        return bool(output["type"] == "websocket.accept")

    async def say_text(self, text: str | bytes) -> None:
        """Sends a frame as it is."""
        kind = "text" if isinstance(text, str) else "bytes"
        await self.application.send_input({"type": "websocket.receive", kind: text})

    async def say(self, **message: Any) -> None:
        """Sends a message."""
        await self.say_text(json.dumps(message))

    async def output(self, seconds: float = 5) -> dict[str, Any]:
        """What the server does next, in the words of ASGI."""
        found: dict[str, Any] = await self.application.receive_output(seconds)
        return found

    async def hear(self, kind: str, seconds: float = 5) -> dict[str, Any]:
        """The next message of this type; others are passed over."""
        while True:
            message: dict[str, Any] = json.loads((await self.output(seconds))["text"])
            if message["type"] == kind:
                return message

    async def closed(self, seconds: float = 6) -> int:
        """The code it is closed with; what comes before is passed over."""
        while True:
            output = await self.output(seconds)
            if output["type"] == "websocket.close":
                return int(output["code"])

    async def disconnect(self) -> None:
        """The browser goes."""
        await self.application.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.application.wait(10)


async def refusal(project_id: UUID, headers: Headers, query: str = "") -> int | None:
    """How a socket is refused: 403 before the handshake, or the close code after it; None when it is let in."""
    socket = InProcess(project_id, headers, query)
    accepted = await socket.connect()
    output = await socket.output(10) if accepted else {}
    await socket.disconnect()
    if not accepted:
        return 403
    return int(output["code"]) if output["type"] == "websocket.close" else None


@asynccontextmanager
async def opened(project_id: UUID, headers: Headers) -> AsyncIterator[InProcess]:
    """A socket that was let in."""
    socket = InProcess(project_id, headers)
    assert await socket.connect(), "the socket was refused"
    try:
        socket.hello = await socket.hear("hello", 10)
        yield socket
    finally:
        await socket.disconnect()
