"""Remembers which set-up steps are done, so that each is done again only when what it rests on has changed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def fingerprint(files: Iterable[Path], folder: Path, *texts: str) -> str:
    """One hash over the files' names within the folder, their bytes, and the texts; the same wherever it lies."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for text in texts:
        digest.update(f"{text}\0".encode())
    return digest.hexdigest()


def is_done(stamp: Path, key: str) -> bool:
    """Whether the step was done for exactly this key."""
    try:
        return stamp.read_text(encoding="utf-8").strip() == key
    except OSError:
        return False


def set_done(stamp: Path, key: str) -> None:
    """Written only after the step succeeded; a step that was killed half way has no stamp."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    aside = stamp.with_name(stamp.name + ".new")
    aside.write_text(key + "\n", encoding="utf-8")
    aside.replace(stamp)
