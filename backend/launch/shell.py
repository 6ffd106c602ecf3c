"""Runs one program of the set-up with its words in a log file, and shows their end only when it fails."""

import os
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

        As another user the program gets a session of its own and `/` to stand in, since that user
        may not be able to reach the current folder.
        """
        command = [str(part) for part in argv]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a+b") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            start = log.tell()
            try:
                code = subprocess.run(
                    command,
                    cwd=cwd or ("/" if user else None),
                    env=None if env is None else dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    check=False,
                    start_new_session=user is not None,
                    user=user.uid if user else None,
                    group=user.gid if user else None,
                    extra_groups=[] if user else None,
                ).returncode
            except FileNotFoundError as error:
                raise StepFailed(what, f"{command[0]} is not there", self.log, hint) from error
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


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines that are not empty."""
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-lines:])


def with_path_first(folder: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment with the folder's programs found first."""
    result = dict(os.environ if env is None else env)
    result["PATH"] = os.pathsep.join([str(folder), result.get("PATH", os.defpath)])
    return result
