"""What waits to be sent to one browser: bounded in number and in bytes, so that a slow reader costs little."""

import asyncio
from collections import deque

MAX_MESSAGES = 2000
MAX_BYTES = 4 * 1024 * 1024


class Outbox:
    """Texts in the order they were put. A browser that is let go asks for the events it missed."""

    def __init__(self, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self.max_messages, self.max_bytes = max_messages, max_bytes
        self._texts: deque[str] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, text: str) -> bool:
        """Adds a text (ASCII, as our JSON is); False, and nothing added, when the reader is too far behind."""
        if self._texts and (len(self._texts) >= self.max_messages or self._bytes + len(text) > self.max_bytes):
            return False
        self._texts.append(text)
        self._bytes += len(text)
        self._some.set()
        self._empty.clear()
        return True

    async def take(self) -> str:
        """The next text; the one before it counts as sent."""
        while not self._texts:
            self._some.clear()
            self._empty.set()
            await self._some.wait()
        text = self._texts.popleft()
        self._bytes -= len(text)
        return text

    async def sent(self) -> None:
        """Waits until everything is sent."""
        await self._empty.wait()

    def clear(self) -> None:
        """Forgets what waits."""
        self._texts.clear()
        self._bytes = 0
