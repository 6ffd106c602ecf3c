"""Shuts in the processes that open strangers' files: few drivers, hard limits, no network, no other folders."""

import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

# GTiff reads and COG writes; VRT says how a file lies; MEM is what they work with. Nothing else exists in there.
DRIVERS = frozenset({"GTiff", "COG", "VRT", "MEM"})

# Linux's Landlock (uapi/linux/landlock.h): the numbers are the same on every architecture.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION, PATH_BENEATH = 1, 1
READ = (1 << 2) | (1 << 3)  # files, folders
WRITE = READ | (1 << 1) | (1 << 4) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << 13) | (1 << 14)  # make, remove, rename
FILE_ONLY = (1 << 1) | (1 << 2) | (1 << 14)
ALL_BY_VERSION = {2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
ALL_NEWEST = (1 << 16) - 1
TCP = 0b11  # bind, connect
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


def environment() -> dict[str, str]:
    """What such a process gets to see: no secrets, no database, no driver or address beyond the needed."""
    kept = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "GDAL_SKIP": ",".join(_other_drivers()),
        "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
        "GDAL_HTTP_PROXY": "127.0.0.1:1",
        "PROJ_NETWORK": "OFF",
    }


def enter(
    *, read: Iterable[Path], write: Iterable[Path], memory_mb: int, cpu_seconds: int, file_mb: int, niceness: int = 0
) -> bool:
    """Shuts this process in, for good; whether the kernel also keeps it to the given folders.

    Limits of address space, processor time and file size hold everywhere; the folders and the ban on TCP need
    Linux 5.19 and 6.7. The process ends with its parent.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_mb << 20, file_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(niceness)
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return _landlock(libc, [*_runtime(), *read], list(write))


def _landlock(libc: ctypes.CDLL, read: list[Path], write: list[Path]) -> bool:
    libc.syscall.restype = ctypes.c_long
    version = libc.syscall(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 2:  # the first cannot allow a rename between two folders
        return False
    handled = ALL_BY_VERSION.get(version, ALL_NEWEST)
    attributes = struct.pack("=QQ", handled, TCP) if version >= 4 else struct.pack("=Q", handled)
    rules = libc.syscall(CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return False
    try:
        for paths, access in ((read, READ), (write, WRITE)):
            for path in paths:
                _allow(libc, rules, path, access & handled)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, access: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    try:
        allowed = access if path.is_dir() else access & FILE_ONLY
        rule = struct.pack("=Qi", allowed, opened)
        if libc.syscall(ADD_RULE, rules, PATH_BENEATH, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), f"the sandbox cannot allow {path}")
    finally:
        os.close(opened)


def _runtime() -> list[Path]:
    """Where Python and its libraries lie, for what is loaded late."""
    return [
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(__file__).resolve().parents[1],
        *(Path(folder) for folder in ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/dev/null")),
    ]


@cache
def _other_drivers() -> tuple[str, ...]:
    import rasterio

    with rasterio.Env() as known:
        return tuple(sorted(set(known.drivers()) - DRIVERS))
