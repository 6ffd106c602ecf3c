"""The newest-wins slot: of many prompts only the one being answered and the newest one exist."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """Holds at most one thing that waits; `answer` is run for one thing at a time, always the newest."""

    def __init__(self, answer: Callable[[T], Awaitable[None]]) -> None:
        self._answer = answer
        self._waiting: T | None = None
        self._answered: T | None = None
        self._task: asyncio.Task[None] | None = None
        self._inner: asyncio.Future[None] | None = None
        self.interruptible = False  # set while the answer only waits, for example for a window to be encoded

    def put(self, thing: T) -> None:
        """Replaces what waits; ends an answer that itself only waits."""
        self._waiting = thing
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        elif self.interruptible and self._inner is not None:
            self._inner.cancel()

    @property
    def superseded(self) -> bool:
        """Whether something newer waits: the answer under way is stale."""
        return self._waiting is not None

    def clear(self, which: Callable[[T], bool] = lambda thing: True) -> None:
        """Forgets what waits and ends what is under way, each where `which` holds for it."""
        if self._waiting is not None and which(self._waiting):
            self._waiting = None
        if self._inner is not None and self._answered is not None and which(self._answered):
            self._inner.cancel()

    async def _run(self) -> None:
        while self._waiting is not None:
            thing, self._waiting = self._waiting, None
            self.interruptible = False
            self._answered = thing
            self._inner = asyncio.ensure_future(self._answer(thing))
            await asyncio.wait([self._inner])
            if not self._inner.cancelled():
                self._inner.exception()  # the answer reports its own errors
            self._inner = self._answered = None
