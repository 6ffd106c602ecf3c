"""Stores a job's progress while another transaction, the export's snapshot, is open: from a thread of its own."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import connection

from backend.jobs import services as jobs

SECONDS_BETWEEN = 0.5


class Reporter:
    """Reports how many are done, at most twice a second; each report is committed on a connection of its own."""

    def __init__(self, job_id: UUID) -> None:
        self._job_id = job_id
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="report")
        self._told_at = 0.0

    def begin(self, total: int) -> None:
        """Stores how many there are in all."""
        self._thread.submit(self._store, total=total, done=0).result()

    def report(self, done: int) -> None:
        """Stores and tells the number, unless that was done a moment ago."""
        if time.monotonic() - self._told_at >= SECONDS_BETWEEN:
            self._thread.submit(self._store, done=done).result()
            self._told_at = time.monotonic()

    def close(self) -> None:
        """Ends the thread."""
        self._thread.submit(_close_here).result()
        self._thread.shutdown()

    def _store(self, **counts: int) -> None:
        jobs.progress(self._job_id, **counts)


def _close_here() -> None:
    connection.close()  # the proxy stands for the connection of the thread that asks it
