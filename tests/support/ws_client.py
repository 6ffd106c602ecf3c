"""A scripted browser: HTTP with a token, and the project's websocket."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import websockets
from websockets.asyncio.client import ClientConnection

Message = dict[str, Any]


class Browser:
    """One connected client; everything that was said to it is kept in `heard`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[Message] = []
        self.sizes: list[int] = []
        self._seq = 0

    async def say(self, **message: Any) -> None:
        """Sends a message."""
        await self.socket.send(json.dumps(message))

    async def wait_for(self, holds: Callable[[Message], bool], seconds: float = 10) -> Message:
        """The next message for which this holds. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds):
            while True:
                text = await self.socket.recv()
                message: Message = json.loads(text)
                self.heard.append(message)
                self.sizes.append(len(text))
                if holds(message):
                    return message

    async def wait(self, kind: str, seconds: float = 10) -> Message:
        """The next message of this type."""
        return await self.wait_for(lambda message: message["type"] == kind, seconds)

    async def click(
        self, raster: str, *points: tuple[float, float, int], seconds: float = 60, **more: Any
    ) -> tuple[Message, float]:
        """Submits prompts and waits for their answer; gives it with the milliseconds it took."""
        self._seq += 1
        seq = self._seq
        said = {
            "type": "prompt.submit",
            "promptSeq": seq,
            "draft": str(uuid4()),
            "raster": raster,
            "points": [{"lon": lon, "lat": lat, "label": label} for lon, lat, label in points],
            "box": None,
            "hover": False,
            "feedback": True,
            **more,
        }
        began = time.perf_counter()
        await self.socket.send(json.dumps(said))
        answer = await self.wait_for(
            lambda m: m["type"] in ("suggestion", "suggestion.failed") and m["promptSeq"] == seq, seconds
        )
        return answer, (time.perf_counter() - began) * 1000


@asynccontextmanager
async def connected(url: str, token: str, project: str, **options: Any) -> AsyncIterator[Browser]:
    """A browser that has been greeted; `url` is the server's HTTP address."""
    address = f"{url.replace('http', 'ws', 1)}/ws/projects/{project}"
    headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
    async with websockets.connect(
        address, additional_headers=headers, compression=None, max_size=2**24, **options
    ) as socket:
        browser = Browser(socket)
        await browser.wait("hello")
        yield browser


def http(url: str, token: str) -> httpx.Client:
    """An HTTP client that is signed in by token."""
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
