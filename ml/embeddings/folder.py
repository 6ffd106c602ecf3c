"""A local folder of files: written aside and renamed, read through the page cache, with when each was last used."""

import contextlib
import errno
import mmap
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

POPULATE_READ = 22  # MADV_POPULATE_READ, Linux 5.14: reads all of a mapping now, or says that it cannot
NOTED_SECONDS = 30.0  # use is noted no more often than this
NOT_KNOWN = {errno.EINVAL, errno.EOPNOTSUPP}  # a system without that advice
ASIDE = "."  # what is being written begins with a dot
STALE_SECONDS = 3600.0  # from then on a file aside is the rest of a killed process


@dataclass(frozen=True)
class Entry:
    """One file: its path below the folder, its bytes, and when it was last used (seconds since 1970)."""

    path: Path
    nbytes: int
    used: float


class Folder:
    """Files below a root. Several processes may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._noted: dict[Path, float] = {}

    def write(self, path: Path, content: bytes) -> None:
        """Writes a file, replacing what was there in one step that a power cut does not halve. Raises `OSError`."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_name(f"{ASIDE}{place.name}.{secrets.token_hex(6)}")
        try:
            with aside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(place)
            _settle(place.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def opened(self, path: Path, most: int) -> Iterator[memoryview]:
        """A file's content, mapped for as long as it is open; its first `most` + 1 bytes where it is longer.

        Raises `FileNotFoundError`, `OSError`.
        """
        with (self.root / path).open("rb", buffering=0) as file:
            self.use(path)
            size = min(os.fstat(file.fileno()).st_size, most + 1)
            content = _mapped(file.fileno(), size) if size else None
            if content is None:
                yield memoryview(file.read(size))
                return
        view = memoryview(content)
        try:
            yield view
        finally:
            with contextlib.suppress(BufferError):  # whoever still holds a part of it keeps it open
                view.release()
                content.close()

    def use(self, path: Path) -> None:
        """Notes that a file is used: its access time, which is cheap and which all processes see."""
        moment = time.monotonic()
        if moment - self._noted.get(path, -NOTED_SECONDS) < NOTED_SECONDS:
            return
        if len(self._noted) > 10_000:
            self._noted.clear()
        self._noted[path] = moment
        place = self.root / path
        with contextlib.suppress(OSError):  # removed just now, or a folder that is only read
            os.utime(place, ns=(time.time_ns(), place.stat().st_mtime_ns))

    def size(self, path: Path) -> int | None:
        """A file's bytes; None where there is none."""
        try:
            return (self.root / path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def delete(self, path: Path) -> None:
        """Removes a file; harmless when it is not there."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            (self.root / path).unlink()

    def delete_below(self, path: Path) -> None:
        """Removes all files below a path."""
        shutil.rmtree(self.root / path, ignore_errors=True)

    def refetch(self, _path: Path) -> bool:
        """A folder has the only copy."""
        return False

    def entries(self) -> list[Entry]:
        """Every file, in no order. The rests of killed writers are removed on the way."""
        found: list[Entry] = []
        for folder, _, names in os.walk(self.root):
            for name in names:
                place = Path(folder, name)
                try:
                    stat = place.stat()
                except FileNotFoundError:
                    continue
                if name.startswith(ASIDE):
                    if time.time() - stat.st_mtime > STALE_SECONDS:
                        place.unlink(missing_ok=True)
                    continue
                used = max(stat.st_atime, stat.st_mtime)
                found.append(Entry(place.relative_to(self.root), stat.st_size, used))
        return found


def _settle(folder: Path) -> None:
    """Has the rename itself reach the disk, so that a row never outlives its file in a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mapped(handle: int, size: int) -> mmap.mmap | None:
    """The file mapped, all of it read; None where the system cannot tell whether that went well.

    Touching a page of a mapping that cannot be read ends the process; asked this way, a bad sector or a file that was
    cut meanwhile is an `OSError` instead.
    """
    try:
        content = mmap.mmap(handle, size, prot=mmap.PROT_READ)
    except (ValueError, AttributeError):  # cut just now, or not a system that maps so
        return None
    try:
        content.madvise(POPULATE_READ)
    except OSError as error:
        content.close()
        if error.errno in NOT_KNOWN:
            return None
        raise
    return content
