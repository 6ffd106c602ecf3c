"""Locks that hold across all processes: the database keeps them, and drops those of a process that dies."""

import contextlib
import hashlib
from collections.abc import Iterator

from django.db import DatabaseError, connection

from ml.embeddings import EmbeddingKey


@contextlib.contextmanager
def window(key: EmbeddingKey) -> Iterator[None]:
    """Held while a window is encoded or removed: whoever wants the same waits, and then finds it done."""
    name = window_name(str(key.relative_path()))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_number(name)])
    try:
        yield
    finally:
        _unlock(name)


@contextlib.contextmanager
def if_free(name: str) -> Iterator[bool]:
    """True, with the lock held; False, at once, where another process has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_number(name)])
        (mine,) = cursor.fetchone()
    try:
        yield bool(mine)
    finally:
        if mine:
            _unlock(name)


def window_name(path: str) -> str:
    """The lock of the window whose file lies at this path."""
    return f"window {path}"


def _unlock(name: str) -> None:
    with contextlib.suppress(DatabaseError), connection.cursor() as cursor:  # a lost connection has no locks any more
        cursor.execute("SELECT pg_advisory_unlock(%s)", [_number(name)])


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"edgewise {name}".encode()).digest()[:8], "big", signed=True)
