"""The most memory that this process and those it starts hold at once, each by itself, while something is done."""

import contextlib
import ctypes
import os
import threading
from pathlib import Path
from types import TracebackType

EVERY_SECONDS = 0.02
FORGET_PEAK = "5"  # proc(5), clear_refs: the peak becomes what is held now


class Peaks:
    """Watches from `with` on; what ran before in the same process, or was started by it, does not count.

    `rise` bytes of this process above what it held at first, `child` bytes of the largest process that it started.
    """

    def __init__(self) -> None:
        self.rise, self.child = 0, 0
        self._own = Path("/proc/self/cmdline").read_bytes()
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Peaks":
        ctypes.CDLL(None).malloc_trim(0)  # what was freed before would be taken again without a rise
        Path("/proc/self/clear_refs").write_text(FORGET_PEAK)
        self._before = _held(Path("/proc/self"), "VmRSS")
        self._watching.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watching.join()
        self.rise = _held(Path("/proc/self"), "VmHWM") - self._before

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            for folder in _below(os.getpid()):
                with contextlib.suppress(OSError):  # it has just ended
                    if (folder / "cmdline").read_bytes() != self._own:  # one that is not yet its own shows our memory
                        self.child = max(self.child, _held(folder, "VmHWM"))


def _below(parent: int) -> list[Path]:
    """Every process that this one has started, and those that they have."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found, reached = [], {parent}
    for _ in range(4):  # generations
        reached = {one for one, above in parents.items() if above in reached}
        found += [Path("/proc", str(one)) for one in reached]
    return found


def _held(folder: Path, name: str) -> int:
    """Bytes by a line of `status`; 0 for a process that has ended."""
    for line in (folder / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    return 0
