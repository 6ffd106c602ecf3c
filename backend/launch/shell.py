"""Runs one program of the set-up with its words in a log file, and shows their end only when it fails."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.launch.errors import StepFailed

TAIL_LINES = 12


@dataclass(frozen=True)
class Shell:
    """Runs programs, logging to one file."""

    log: Path

    def run(
        self,
        what: str,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: "OsUser | None" = None,
        hint: str = "",
    ) -> str:
        """Runs to the end and gives what was printed; raises StepFailed with the last lines otherwise.

        The program gets a session of its own; when we are interrupted it is ended with all that it started.
        As another user it stands in `/`, since that user may not be able to reach the current folder.
        """
        command = [str(part) for part in argv]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a+b") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            start = log.tell()
            try:
                process = subprocess.Popen(
                    command,
                    cwd=cwd or ("/" if user else None),
                    env=None if env is None else dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    user=user.uid if user else None,
                    group=user.gid if user else None,
                    extra_groups=[] if user else None,
                )
            except FileNotFoundError as error:
                raise StepFailed(what, f"{command[0]} is not there", self.log, hint) from error
            try:
                code = process.wait()
            except BaseException:
                _end(process)
                raise
            log.seek(start)
            said = log.read().decode(errors="replace")
        if code:
            raise StepFailed(what, tail(said) or f"exit status {code}", self.log, hint)
        return said


@dataclass(frozen=True)
class OsUser:
    """Another user of the operating system, for programs that must not run as root."""

    name: str
    uid: int
    gid: int


def _end(process: subprocess.Popen[bytes]) -> None:
    """Politely first, so that a package manager leaves nothing half done; then for good."""
    for number, seconds in ((signal.SIGINT, 3.0), (signal.SIGTERM, 20.0), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines that are not empty."""
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-lines:])


def with_path_first(folder: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment with the folder's programs found first."""
    result = dict(os.environ if env is None else env)
    result["PATH"] = os.pathsep.join([str(folder), result.get("PATH", os.defpath)])
    return result
