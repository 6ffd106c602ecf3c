"""Says how a command goes: a bar for people, lines of JSON for the server that has started it."""

import json
import os
import shutil
import signal
import sys
import threading
import time
from typing import Any

BAR = 30
NICENESS = 10


class Progress:
    """A bar on a terminal, a line for each tenth elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.began, self.first, self.told, self.open = 0.0, 0, -1, False

    def say(self, what: str) -> None:
        """A new step."""
        self.end()
        print(what, file=sys.stderr, flush=True)
        self.began, self.first, self.told = time.monotonic(), -1, -1

    def bytes(self, done: int, total: int | None) -> None:
        """Bytes of the step's download."""
        if self.first < 0:
            self.first, self.began = done, time.monotonic()
        pace = (done - self.first) / max(time.monotonic() - self.began, 0.001)
        left = f", {(total - done) / pace:.0f} s left" if total and pace > 0 and done < total else ""
        of = f" of {total / 1e6:.0f}" if total else ""
        self._show(done, total, f"{done / 1e6:.0f}{of} MB, {pace / 1e6:.1f} MB/s{left}")

    def count(self, done: int, total: int) -> None:
        """Pieces of the step."""
        self._show(done, total, f"{done} of {total}")

    def end(self) -> None:
        """Leaves the line."""
        if self.open:
            print(file=sys.stderr)
        self.open = False

    def _show(self, done: int, total: int | None, text: str) -> None:
        share = done / total if total else 0.0
        if self.live:
            bar = ("#" * round(share * BAR)).ljust(BAR, "-")
            line = f"  [{bar}] {share:4.0%}  {text}"[: shutil.get_terminal_size().columns - 1]
            print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)
            self.open = True
        elif int(share * 10) > self.told:
            self.told = int(share * 10)
            print(f"  {share:4.0%}  {text}", file=sys.stderr, flush=True)


class Lines(Progress):
    """The same as a line of JSON each: `step`, `done` and `total`, in the end `result` or `error`."""

    def say(self, what: str) -> None:
        """A new step."""
        self._write({"step": what})

    def bytes(self, done: int, total: int | None) -> None:
        """Bytes of the step's download."""
        self._write({"done": done, "total": total, "unit": "bytes"})

    def count(self, done: int, total: int) -> None:
        """Pieces of the step."""
        self._write({"done": done, "total": total, "unit": "pieces"})

    def end(self) -> None:
        """Nothing is left open."""

    def result(self, found: dict[str, Any]) -> None:
        """What came of it."""
        self._write({"result": found})

    def error(self, message: str) -> None:
        """Why it came to nothing."""
        self._write({"error": message})

    def _write(self, said: dict[str, Any]) -> None:
        print(json.dumps(said), flush=True)


def give_way() -> None:
    """Leaves the processors to others, and stops as by Ctrl-C when standard input ends: who started this is gone."""
    os.nice(NICENESS)
    threading.Thread(target=_stop_at_end, daemon=True).start()


def _stop_at_end() -> None:
    while os.read(sys.stdin.fileno(), 64):
        pass
    os.kill(os.getpid(), signal.SIGINT)
