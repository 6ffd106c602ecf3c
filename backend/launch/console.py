"""What the person at the terminal sees: one line for each step, with a tick and its seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


class Console:
    """Prints steps; on a terminal the running step is shown until its tick replaces it."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out or sys.stdout
        self._clock = clock
        self._live = self._out.isatty()
        encoding = (getattr(self._out, "encoding", None) or "ascii").lower()
        self._tick, self._cross = ("✓", "✗") if "utf" in encoding else ("ok", "NO")

    def say(self, text: str = "") -> None:
        """One line or several."""
        self._write(text + "\n")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Shows the title with a tick and the seconds when the block ends well, with a cross when it does not."""
        started = self._clock()
        if self._live:
            self._write(f"  … {title}\r")
        try:
            yield
        except BaseException:
            self.result(title, False, self._clock() - started)
            raise
        self.result(title, True, self._clock() - started)

    def result(self, title: str, good: bool, seconds: float, note: str = "") -> None:
        """The line of a step that has ended."""
        clear = "\033[K" if self._live else ""
        mark = self._tick if good else self._cross
        self._write(f"{clear}  {mark} {title:<52} {seconds:6.1f} s{'  ' + note if note else ''}\n")

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except UnicodeEncodeError:
            self._out.write(text.encode("ascii", "replace").decode())
            self._out.flush()
        except (BrokenPipeError, OSError):
            pass  # the terminal is gone; what was started must still be stopped in order
