"""Runs the inspection and the conversion of a file, each in a process that can be limited, watched and killed."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from backend.jobs.services import Stopped
from backend.rasters import sandbox
from backend.rasters.conversion import FILE_AT_FAULT
from backend.rasters.errors import RasterRefusedError

INSPECT_SECONDS = 30
POLL_SECONDS = 0.1
SPARE_DISK = 512 * 1024 * 1024
DISK_FULL = ("No space left", "Free disk space", "File too large")
OUT_OF_MEMORY = ("MemoryError", "Cannot allocate", "Out of memory", "out of memory")
READS = 2.2  # how often a conversion reads its source: once for the overviews, once for the copy


def inspected(source: Path, given_crs: str) -> dict[str, Any]:
    """What the file's header says. Raises `RasterRefusedError`."""
    command = [sys.executable, "-m", "backend.rasters.inspection", str(source), given_crs]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=INSPECT_SECONDS,
            check=False,
            cwd=settings.ROOT,
            env=sandbox.environment(),
        )
    except subprocess.TimeoutExpired as error:
        raise RasterRefusedError("raster.too_demanding") from error
    if done.returncode != 0:
        raise RasterRefusedError("raster.too_demanding" if done.returncode < 0 else "raster.corrupt")
    facts: dict[str, Any] = json.loads(done.stdout)
    if "refused" in facts:
        raise RasterRefusedError(facts["refused"])
    return facts


def converted(order: dict[str, Any], should_abort: Callable[[], bool], tell: Callable[[float], None]) -> None:
    """Makes the COG that the order names; `tell` hears the share done. Raises `RasterRefusedError`, `Stopped`.

    Where another worker is at it still, because the queue took it for dead, this one waits for it to end.
    """
    source, target = Path(order["source"]), Path(order["target"])
    folder = target.parent
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder, should_abort):
        clear(folder)
        size = source.stat().st_size
        if shutil.disk_usage(folder).free < size + SPARE_DISK:
            raise RasterRefusedError("raster.no_disk")
        written = folder / ".making-order.json"
        written.write_text(json.dumps(order))
        try:
            _run(written, folder, READS * size, should_abort, tell)
        finally:
            clear(folder)


@contextlib.contextmanager
def _alone_in(folder: Path, should_abort: Callable[[], bool]) -> Iterator[None]:
    """Holds the raster's folder; the system lets go of it when this process ends, however it ends."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if should_abort():
                    raise Stopped from None
                time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(lock)


def clear(folder: Path) -> None:
    """Removes what a stopped or killed conversion left."""
    for left in folder.glob(".making-*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _run(
    order: Path, folder: Path, to_read: float, should_abort: Callable[[], bool], tell: Callable[[float], None]
) -> None:
    command = [sys.executable, "-m", "backend.rasters.conversion", str(order)]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stderr=said, stdout=said, cwd=settings.ROOT, env=sandbox.environment())
        try:
            while process.poll() is None:
                if should_abort():
                    raise Stopped
                tell(min(_bytes_read(process.pid) / max(to_read, 1), 1.0))
                time.sleep(POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode != 0:
            said.seek(0)
            raise _problem(process.returncode, said.read()[-4000:].decode(errors="replace"), folder)


def _problem(status: int, words: str, folder: Path) -> Exception:
    """What a failed conversion means: for the user where the file or the disk is at fault, else for us."""
    if any(sign in words for sign in DISK_FULL) or shutil.disk_usage(folder).free < SPARE_DISK:
        return RasterRefusedError("raster.no_disk")
    if status < 0 or any(sign in words for sign in OUT_OF_MEMORY):
        return RasterRefusedError("raster.too_demanding")
    if status == FILE_AT_FAULT:
        return RasterRefusedError("raster.corrupt")
    return RuntimeError(f"the conversion ended with {status}: {words}")


def _bytes_read(pid: int) -> int:
    try:
        fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
        return int(fields["rchar"])
    except (OSError, KeyError, ValueError):
        return 0  # no such numbers on this system: the bar then moves in steps
