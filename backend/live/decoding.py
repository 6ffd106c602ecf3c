"""Runs decodes on a few threads: clicks before hovers, and everybody in turn, since each socket has one at a time."""

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection

T = TypeVar("T")
CLICK, HOVER = 0, 1


class DecodePool:
    """A priority queue in front of a bounded number of threads. Belongs to one event loop."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._waiting: asyncio.PriorityQueue[tuple[int, int, asyncio.Future[Any], Callable[[], Any]]] = (
            asyncio.PriorityQueue()
        )
        self._order = itertools.count()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, priority: int, work: Callable[[], T]) -> T:
        """The result of `work`, done on a thread when its turn comes; cancelled work that waits never runs."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._serve()) for _ in range(self.threads)]
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((priority, next(self._order), future, work))
        return await future

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            _, _, future, work = await self._waiting.get()
            if future.cancelled():
                continue
            try:
                result = await loop.run_in_executor(self._executor, _then_close, work)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)


def _then_close(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connection.close()  # back to the pool: these threads live on


_pools: dict[int, DecodePool] = {}


def pool() -> DecodePool:
    """The pool of the running event loop."""
    loop = asyncio.get_running_loop()
    if id(loop) not in _pools:
        _pools.clear()
        _pools[id(loop)] = DecodePool(max(1, settings.DECODE_WORKERS))
    return _pools[id(loop)]
