"""Keeps the programs running: starts them, starts a crashed one again, and stops all of them when told to."""

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from backend.launch.children import Child, Program, remember, rotate

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
CALM_SECONDS = 60.0
GUARD_SECONDS = 2.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody asked for the end while the set-up was still under way."""


class StopSignals:
    """Counts the signals that ask for the end; wakes the supervisor through a pipe."""

    def __init__(self) -> None:
        self.count = 0
        self._raising = True
        self.read_end, self._write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        os.set_blocking(self._write_end, False)

    def listen(self) -> None:
        """From now on a signal raises Interrupted."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)

    def only_count(self) -> None:
        """From now on a signal is counted, and wakes who waits on `read_end`."""
        self._raising = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self._raising:
            self._raising = False
            raise Interrupted
        with contextlib.suppress(BlockingIOError):
            os.write(self._write_end, b"!")


@dataclass
class _Kept:
    program: Program
    child: Child | None = None
    pause: float = FIRST_PAUSE
    due: float = 0.0
    crashes: int = 0


@dataclass
class Supervisor:
    """Runs the programs until a stop signal; `guard` is called now and then to look after what is not our child."""

    programs: Sequence[Program]
    logs: Path
    record: Path
    stop: StopSignals
    say: Callable[[str], None]
    guard: Callable[[], None] = lambda: None
    echo: bool = False
    clock: Callable[[], float] = time.monotonic
    _kept: list[_Kept] = field(init=False)
    _selector: selectors.BaseSelector = field(init=False)
    _next_guard: float = 0.0

    def __post_init__(self) -> None:
        self._kept = [_Kept(program) for program in self.programs]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.stop.read_end, selectors.EVENT_READ)

    def start(self) -> None:
        """Starts every program."""
        for kept in self._kept:
            rotate(self._log(kept.program))
            self._launch(kept)

    def run_until(self, done: Callable[[], bool], seconds: float = float("inf")) -> bool:
        """Keeps everything running until `done`, a stop signal (False) or the time is over (False)."""
        deadline = self.clock() + seconds
        while not self.stop.count:
            if done():
                return True
            if self.clock() > deadline:
                return False
            self._turn(0.2 if seconds < float("inf") else 1.0)
        return False

    def crashes(self, name: str) -> int:
        """How often the program has ended by itself since it last ran calmly."""
        return next(kept.crashes for kept in self._kept if kept.program.name == name)

    def last_words(self, name: str) -> str:
        """The end of the program's log."""
        kept = next(kept for kept in self._kept if kept.program.name == name)
        try:
            return self._log(kept.program).read_text(encoding="utf-8", errors="replace")[-4000:]
        except OSError:
            return ""

    def shut_down(self) -> None:
        """Asks all to stop; kills those that take too long, or all at once at a further stop signal."""
        impatient = self.stop.count + 1
        self._selector.unregister(self.stop.read_end)
        living = [kept.child for kept in self._kept if kept.child]
        for child in living:
            child.ask_to_stop()
        began = self.clock()
        while waiting := [child for child in living if child.exit_status() is None]:
            if self.stop.count >= impatient:
                break
            if all(self.clock() - began > child.program.grace_seconds for child in waiting):
                break
            self._selector.select(0.05)
            self._drain_all()
        for child in living:
            child.kill_rest()
            self._forget(child)
            child.close()
        for kept in self._kept:
            kept.child = None
        self._selector.close()
        self.record.unlink(missing_ok=True)

    def _turn(self, seconds: float) -> None:
        self._selector.select(seconds)
        self._drain_all()
        now = self.clock()
        for kept in self._kept:
            if kept.child is None and now >= kept.due:
                self._launch(kept)
            elif kept.child is not None and (status := kept.child.exit_status()) is not None:
                self._on_end(kept, kept.child, status)
        if now >= self._next_guard:
            self._next_guard = now + GUARD_SECONDS
            self.guard()

    def _launch(self, kept: _Kept) -> None:
        try:
            kept.child = Child(kept.program, self._log(kept.program))
        except OSError as error:  # no memory or no processes left: later, perhaps
            self.say(f"  {kept.program.name} could not be started ({error.strerror}); it is tried again")
            kept.due = self.clock() + LONGEST_PAUSE
            return
        self._selector.register(kept.child.pipe, selectors.EVENT_READ)
        remember(self.record, [other.child.pid for other in self._kept if other.child])

    def _on_end(self, kept: _Kept, child: Child, status: int) -> None:
        self._forget(child)
        child.kill_rest()
        child.close()
        kept.child = None
        if self.clock() - child.started > CALM_SECONDS:
            kept.pause, kept.crashes = FIRST_PAUSE, 0
        kept.crashes += 1
        kept.due = self.clock() + kept.pause
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        self.say(f"  {kept.program.name} {how}; it starts again in {kept.pause:.0f} s. Its words: {child.log}")
        kept.pause = min(kept.pause * 2, LONGEST_PAUSE)

    def _drain_all(self) -> None:
        for kept in self._kept:
            if kept.child is None:
                continue
            for line in kept.child.drain():
                if self.echo:
                    self.say(f"{kept.program.name:>7} | {line}")
            if kept.child.silent:
                self._forget(kept.child)

    def _forget(self, child: Child) -> None:
        if child.pipe in self._selector.get_map():
            self._selector.unregister(child.pipe)

    def _log(self, program: Program) -> Path:
        return self.logs / f"{program.name}.log"
