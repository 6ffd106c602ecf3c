"""Values kept for a short while, so that a click need not ask the database for them."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

SECONDS = 3.0
MOST = 256


class Remembered(Generic[T]):
    """What `make` gave for a key, for three seconds; safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, T]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The kept value, or a new one."""
        with self._lock:
            found = self._kept.get(key)
        if found is not None and time.monotonic() - found[0] < SECONDS:
            return found[1]
        value = make()
        with self._lock:
            if len(self._kept) > MOST:
                self._kept.clear()
            self._kept[key] = (time.monotonic(), value)
        return value
