"""What the machine offers: room on the disk, free ports, living processes."""

import contextlib
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from backend.launch.errors import NoDisk, PortTaken

GIGABYTE = 1_000_000_000
PORTS_TO_TRY = 20


def free_bytes(folder: Path) -> int:
    """The room that is left where the folder lies."""
    return shutil.disk_usage(folder).free


def ensure_room(folder: Path, needed: int, free: Callable[[Path], int] = free_bytes) -> None:
    """Raises NoDisk when less than `needed` bytes are left."""
    left = free(folder)
    if left < needed:
        raise NoDisk(
            f"Only {left / GIGABYTE:.1f} GB are free where {folder} lies; {needed / GIGABYTE:.1f} GB are needed.\n"
            "Make room and run the same command again."
        )


def can_bind(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(host: str, default: int, asked: str, free: Callable[[str, int], bool] = can_bind) -> int:
    """The asked port or none; without a wish the default or the next free one.

    Raises PortTaken, with what to do.
    """
    if asked:
        if not asked.isdigit() or not 1 <= int(asked) <= 65535:
            raise PortTaken(f"PORT must be a number from 1 to 65535, not {asked!r}.", code="launch.port_invalid")
        if not free(host, int(asked)):
            raise PortTaken(
                f"Port {asked} on {host} is taken by another program, or is not yours to use.\n"
                "Stop that program, choose another with PORT=…, or leave PORT out: a free one is found then."
            )
        return int(asked)
    for port in range(default, default + PORTS_TO_TRY):
        if free(host, port):
            return port
    raise PortTaken(
        f"The ports {default} to {default + PORTS_TO_TRY - 1} on {host} are all taken. Name a free one with PORT=…."
    )


def any_free_port(host: str = "127.0.0.1") -> int:
    """A port that the operating system holds to be free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and only waits to be noticed does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    state = _stat_fields(pid)
    return state is None or state[0] not in {"Z", "X"}


def birth_of(pid: int) -> str:
    """What tells this process from a later one with the same number; empty when the system does not say."""
    fields = _stat_fields(pid)
    return fields[19] if fields and len(fields) > 19 else ""


def processes_in(folder: Path) -> list[int]:
    """The processes whose current folder is this one (a database server's processes stand in its data)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return found


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on; None where there is no /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
