"""Values kept for a short while, so that a click need not ask the database for them."""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from django.db import connections

log = logging.getLogger(__name__)

T = TypeVar("T")

SECONDS = 3.0
STALE_SECONDS = 30.0  # so old a value still answers, while a new one is asked for; events end it sooner, by `forget`
MOST = 256

_all: "WeakSet[Remembered[Any]]" = WeakSet()
_refreshing = ThreadPoolExecutor(1, thread_name_prefix="remembered")


class Remembered(Generic[T]):
    """What `make` gave for a key; safe to use from several threads.

    For three seconds it is taken as it is. For half a minute it still answers, and is made anew beside: people click
    every few seconds, and none of those clicks is to wait for the database.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, T]] = {}
        self._asked: set[Hashable] = set()
        self._times_forgotten = 0
        self._lock = threading.Lock()
        _all.add(self)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The kept value, or a new one."""
        found = self.known(key, make)
        return self._made(key, make) if found is None else found[0]

    def known(self, key: Hashable, make: Callable[[], T]) -> tuple[T] | None:
        """The kept value, at once; None where there is none young enough."""
        with self._lock:
            found = self._kept.get(key)
            age = time.monotonic() - found[0] if found is not None else STALE_SECONDS
            if found is None or age >= max(SECONDS, STALE_SECONDS):
                return None
            refresh = age >= SECONDS and key not in self._asked
            if refresh:
                self._asked.add(key)
        if refresh:
            _refreshing.submit(self._refresh, key, make)
        return (found[1],)

    def forget(self) -> None:
        """Nothing that is kept, or being asked for now, answers any more."""
        with self._lock:
            self._times_forgotten += 1
            self._kept.clear()

    def _made(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            before = self._times_forgotten
        value = make()
        with self._lock:
            if before == self._times_forgotten:
                if len(self._kept) > MOST:
                    self._kept.clear()
                self._kept[key] = (time.monotonic(), value)
        return value

    def _refresh(self, key: Hashable, make: Callable[[], T]) -> None:
        try:
            self._made(key, make)
        except Exception:  # what is kept grows too old, and the next click meets the error itself
            log.warning("What clicks need could not be read anew", exc_info=True)
        finally:
            connections.close_all()  # back to the pool
            with self._lock:
                self._asked.discard(key)


def forget_all() -> None:
    """After a change that clicks must heed at once."""
    for remembered in list(_all):
        remembered.forget()
