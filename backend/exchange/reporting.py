"""Stores a job's progress while another transaction, the export's snapshot, is open: from a thread of its own."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import connection

from backend.jobs import services as jobs


class Reporter:
    """Reports how many are done; each report is committed at once, on its own connection."""

    def __init__(self, job_id: UUID) -> None:
        self._job_id = job_id
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="report")

    def report(self, done: int) -> None:
        """Stores and tells the number, and waits for that."""
        self._thread.submit(self._store, done).result()

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown()

    def _store(self, done: int) -> None:
        try:
            jobs.progress(self._job_id, done=done)
        finally:
            connection.close()
