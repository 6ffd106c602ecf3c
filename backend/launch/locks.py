"""Locks that the operating system takes back by itself when their holder dies, however it dies."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Lock:
    """One lock file; the text in it says who holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def take(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Whether the lock was had; an exclusive one replaces the shared one that this object holds."""
        if self._fd is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        try:
            fcntl.flock(self._fd, how)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Lets others have it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def write(self, **facts: Any) -> None:
        """What others may know about the holder."""
        assert self._fd is not None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps(facts).encode(), 0)

    def read(self) -> dict[str, Any]:
        """What the holder said; empty when it said nothing yet."""
        try:
            facts = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Waits for the lock and holds it for the block."""
        self.take(wait=True)
        try:
            yield
        finally:
            self.release()
