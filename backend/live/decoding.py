"""Runs decodes on a few threads: clicks before hovers, users in turn, and nothing that nobody waits for."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection

T = TypeVar("T")
Stop = Callable[[], bool]


class Kind(IntEnum):
    """What is decoded, the more urgent first."""

    CLICK = 0
    HOVER = 1


@dataclass(frozen=True, eq=False)
class _Turn:
    kind: Kind
    work: Callable[[Stop], Any]
    future: asyncio.Future[Any]


class DecodePool:
    """A bounded number of threads and who waits for them. Belongs to one event loop.

    Hovers leave one thread free where there are two, so that a click seldom waits for a decode already under way.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._waiting: dict[Kind, OrderedDict[Hashable, deque[_Turn]]] = {kind: OrderedDict() for kind in Kind}
        self._running = dict.fromkeys(Kind, 0)
        self._most = {Kind.CLICK: threads, Kind.HOVER: max(1, threads - 1)}

    async def run(self, owner: Hashable, kind: Kind, work: Callable[[Stop], T]) -> T:
        """The result of `work`, done on a thread when its turn comes; what is cancelled while it waits never runs.

        `work` gets a function that it asks before each of its stages: whether nobody waits for it any more, or, for a
        hover, whether a click waits for its thread.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting[kind].setdefault(owner, deque()).append(_Turn(kind, work, future))
        self._start_more()
        return await future

    def _start_more(self) -> None:
        while (turn := self._next()) is not None:
            self._running[turn.kind] += 1
            stop = partial(self._is_idle, turn)
            done = asyncio.get_running_loop().run_in_executor(self._executor, _then_close, turn.work, stop)
            done.add_done_callback(partial(self._finished, turn))

    def _is_idle(self, turn: _Turn) -> bool:
        """Whether a turn that runs had better end; called on its thread."""
        return turn.future.cancelled() or (turn.kind is Kind.HOVER and bool(self._waiting[Kind.CLICK]))

    def _next(self) -> _Turn | None:
        for kind in Kind:
            owners = self._waiting[kind]
            while owners and sum(self._running.values()) < self.threads and self._running[kind] < self._most[kind]:
                owner, turns = owners.popitem(last=False)
                turn = turns.popleft()
                if turns:
                    owners[owner] = turns  # behind everybody else
                if not turn.future.cancelled():
                    return turn
        return None

    def _finished(self, turn: _Turn, result: asyncio.Future[Any]) -> None:
        self._running[turn.kind] -= 1
        error = result.exception()
        if not turn.future.done():
            if error is not None:
                turn.future.set_exception(error)
            else:
                turn.future.set_result(result.result())
        self._start_more()


def _then_close(work: Callable[[Stop], T], stop: Stop) -> T:
    try:
        return work(stop)
    finally:
        connection.close()  # back to the pool: these threads live on


_current: tuple[asyncio.AbstractEventLoop, DecodePool] | None = None


def pool() -> DecodePool:
    """The pool of the running event loop."""
    global _current  # noqa: PLW0603
    loop = asyncio.get_running_loop()
    if _current is None or _current[0] is not loop:
        _current = (loop, DecodePool(max(1, settings.DECODE_WORKERS)))
    return _current[1]
