"""Who waits for which encode window, and whether it was asked for already."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

Key = tuple[str, int, int, int]  # raster, col, row, size

ASK_AGAIN_SECONDS = 20.0  # many clicks on one window are one job, unless that seems lost


class Waits:
    """Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._events: dict[Key, tuple[asyncio.Event, int]] = {}
        self._asked: dict[Key, float] = {}

    @contextlib.contextmanager
    def waiting(self, key: Key) -> Iterator[asyncio.Event]:
        """An event that is set when the worker says that the window is settled."""
        event, count = self._events.get(key, (asyncio.Event(), 0))
        self._events[key] = (event, count + 1)
        try:
            yield event
        finally:
            event_now, count = self._events.get(key, (event, 0))
            if event_now is event and count > 1:
                self._events[key] = (event, count - 1)
            elif event_now is event:
                self._events.pop(key, None)

    def should_ask(self, key: Key) -> bool:
        """Whether nobody has asked for the window of late; the caller does so now."""
        moment = self._clock()
        self._asked = {known: at for known, at in self._asked.items() if moment - at < ASK_AGAIN_SECONDS}
        if key in self._asked:
            return False
        self._asked[key] = moment
        return True

    def settled(self, key: Key) -> None:
        """The window is ready, failed or skipped."""
        self._asked.pop(key, None)
        event, _ = self._events.pop(key, (None, 0))
        if event is not None:
            event.set()
