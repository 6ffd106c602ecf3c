"""One program that the supervisor keeps: started tied to us, its words in a log, stopped with all it started."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.launch.machine import birth_of, is_alive

TETHER = Path(__file__).with_name("tether.py")
LOG_BYTES = 20_000_000


@dataclass(frozen=True)
class Program:
    """What to run."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    grace_seconds: float = 10.0


class Child:
    """A running program; a session of its own, so that a terminal's Ctrl-C reaches only the supervisor."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(TETHER), str(os.getpid()), *program.argv],
            cwd=program.cwd,
            env=dict(program.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._rest = b""
        self.silent = False  # it has closed its output

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def pipe(self) -> int:
        """To wait on for more output."""
        return self._pipe

    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def drain(self) -> list[str]:
        """Moves what the program printed into its log, each line with the time; gives the lines."""
        with contextlib.suppress(BlockingIOError):
            while len(self._rest) < 1_000_000:
                chunk = os.read(self._pipe, 65536)
                if not chunk:
                    self.silent = True
                    break
                self._rest += chunk
        *whole, self._rest = self._rest.split(b"\n")
        if len(self._rest) >= 1_000_000:  # a line without an end
            whole, self._rest = [*whole, self._rest], b""
        lines = [line.decode(errors="replace") for line in whole]
        if lines:
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            with contextlib.suppress(OSError), self.log.open("a", encoding="utf-8") as log:
                log.writelines(f"{now} {self.program.name}: {line}\n" for line in lines)
        return lines

    def ask_to_stop(self) -> None:
        """SIGTERM to the program itself, which stops its own helpers."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill_rest(self) -> None:
        """SIGKILL to whatever is left of its session."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """After the end: takes in the last words."""
        self._process.wait()
        self.drain()
        assert self._process.stdout is not None
        self._process.stdout.close()


def rotate(log: Path, limit: int = LOG_BYTES) -> None:
    """Puts a log that has grown large aside, over the one put aside before."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > limit:
            log.replace(log.with_name(log.name + ".1"))


def remember(record: Path, pids: Sequence[int]) -> None:
    """Writes down what was started, for the next run to clear away should this one be killed."""
    with contextlib.suppress(OSError):  # a full disk must not end what runs
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps([[pid, birth_of(pid)] for pid in pids]), encoding="utf-8")


def end_leftovers(record: Path, seconds: float = 10.0) -> int:
    """Ends the programs of an earlier run that was killed; a process that merely has the same number is left alone."""
    try:
        noted = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    ours = [pid for pid, birth in noted if birth and is_alive(pid) and birth_of(pid) == birth]
    for pid in ours:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(is_alive(pid) for pid in ours) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in ours:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    record.unlink(missing_ok=True)
    return len(ours)
