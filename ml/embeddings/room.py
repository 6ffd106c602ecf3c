"""Keeps a folder within a number of bytes: what goes first is what nobody has used for the longest time."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from ml.embeddings.folder import Entry, Folder

LOW = 0.95  # down to this share of the bound, so that not every file that is written makes another go
GRACE_SECONDS = 20.0  # what was written or read just now stays, whatever the bound
LOOK_SHARE = 0.01  # of the bound; after so much was written here, what others wrote is looked at too


class Room:
    """Says which files of a folder must go. Counts what is written, and looks at the folder only now and then.

    Several processes that write may exceed the bound by a hundredth each, and by what was used within the last seconds.
    """

    def __init__(self, folder: Folder, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self._unseen = max_bytes  # bytes written since the last look; at first nobody has looked
        self._seen = 0
        self._lock = threading.Lock()

    def wrote(self, nbytes: int) -> bool:
        """Counts a file that was written; whether it is time to see what must go."""
        with self._lock:
            self._unseen += nbytes
            return self._unseen >= self.max_bytes * LOOK_SHARE or self._seen + self._unseen > self.max_bytes

    def to_go(self, first: Callable[[Path], bool] = lambda _: False) -> list[Entry]:
        """What must go now: nothing within the bound; else those that are `first`, then the least recently used."""
        entries = self.folder.entries()
        total = sum(entry.nbytes for entry in entries)
        with self._lock:
            self._unseen, self._seen = 0, total
        if total <= self.max_bytes:
            return []
        spared = time.time() - GRACE_SECONDS
        chosen: list[Entry] = []
        for entry in sorted(entries, key=lambda one: (not first(one.path), one.used)):
            if total <= self.max_bytes * LOW:
                break
            if entry.used < spared:
                chosen.append(entry)
                total -= entry.nbytes
        return chosen

    def let_go(self, entry: Entry) -> bool:
        """Removes a file unless it was used or written since it was looked at; whoever reads it just now reads on."""
        if not self.unused_since(entry):
            return False
        self.folder.delete(entry.path)
        with self._lock:
            self._seen -= entry.nbytes
        return True

    def unused_since(self, entry: Entry) -> bool:
        """Whether a file is as it was when it was looked at."""
        try:
            stat = (self.folder.root / entry.path).stat()
        except FileNotFoundError:
            return False
        return max(stat.st_atime, stat.st_mtime) == entry.used
