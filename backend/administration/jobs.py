"""The job that works on models: the same commands as a shell's, each in a process of its own that can be stopped."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any
from uuid import UUID

from django.conf import settings

from backend.administration.places import checkpoint_file, environment
from backend.core.errors import Conflict
from backend.encoding.services import forget_model
from backend.jobs import services as jobs
from backend.jobs.models import Job

TOLD_SECONDS = 0.5
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 20
LAST_WORDS = 2000
UNITS = {"bytes": 1000}  # kilobytes fit a count; pieces are counted as they are


def work(job_id: str, should_abort: Callable[[], bool]) -> None:
    """The job `administration.work`; what was downloaded before it was stopped is gone on with."""
    job = jobs.start(UUID(job_id))
    if job is None:
        return
    if job.params["action"] == "clear":
        _clear(job, should_abort)
        return
    result = _run(_command(job), should_abort, _Told(job.id))
    jobs.finish(job.id, result=result)


def _command(job: Job) -> list[str]:
    """Raises `model.no_checkpoint` where the file is gone."""
    said = job.params
    if said["action"] == "verify":
        return ["verify", said["model"], "--lines"]
    words = ["install", said["published"], "--lines"]
    if said["checkpoint"]:
        words += ["--checkpoint", str(checkpoint_file(said["checkpoint"]))]
    return [*words, "--own"] if said["own"] else words


class _Told:
    """Writes what a command says into its job's row, not more often than is of use."""

    def __init__(self, job_id: UUID) -> None:
        self.job_id = job_id
        self.total = self.done = 0
        self.due = 0.0

    def step(self, what: str) -> None:
        """It does something else now."""
        self.total = self.done = 0
        jobs.step(self.job_id, what)

    def count(self, done: int, total: int | None, unit: str) -> None:
        """It has come so far."""
        per = UNITS.get(unit, 1)
        self.done, whole = done // per, (total or 0) // per
        if whole != self.total:
            self.total = whole
            jobs.reckon(self.job_id, total=whole, done=self.done)
        elif time.monotonic() >= self.due:
            self.last()

    def last(self) -> None:
        """What was not told yet, because it came soon after something else."""
        self.due = time.monotonic() + TOLD_SECONDS
        jobs.progress(self.job_id, done=self.done)


def _run(words: list[str], should_abort: Callable[[], bool], told: _Told) -> dict[str, Any]:
    """What came of the command. Raises `model.refused` with its own words, `Stopped`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ml", "models", *words],
        stdin=subprocess.PIPE,  # its end tells the command to stop, also where this worker is killed
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=settings.ROOT,
        env=environment(),
    )
    lines: queue.Queue[bytes | None] = queue.Queue()
    last: list[bytes] = []
    readers = [
        threading.Thread(target=_read, args=(process.stdout, lines.put, lambda: lines.put(None)), daemon=True),
        threading.Thread(target=_read, args=(process.stderr, last.append, lambda: None), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        result, error = _follow(lines, should_abort, told)
        process.wait()
    finally:
        told.last()
        _stop(process)
        for reader in readers:
            reader.join()
    if error:
        raise Conflict(error, code="model.refused")
    if process.returncode != 0 or result is None:
        raise RuntimeError(f"the command ended with {process.returncode}: {b''.join(last)[-LAST_WORDS:]!r}")
    return result


def _follow(
    lines: "queue.Queue[bytes | None]", should_abort: Callable[[], bool], told: _Told
) -> tuple[dict[str, Any] | None, str]:
    """Hears a command out: its result, or why there is none. Raises `Stopped`."""
    result, error = None, ""
    while True:
        if should_abort():
            raise jobs.Stopped
        try:
            line = lines.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            return result, error
        said = _parsed(line)
        result, error = said.get("result", result), said.get("error", error)
        if "step" in said:
            told.step(said["step"])
        elif "done" in said:
            told.count(said["done"], said["total"], said["unit"])


def _parsed(line: bytes) -> dict[str, Any]:
    """What a line says; nothing for one that some library has printed."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _read(stream: IO[bytes] | None, take: Callable[[bytes], object], end: Callable[[], object]) -> None:
    if stream is not None:
        with stream:
            for line in stream:
                take(line)
    end()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Lets the command clean up behind it; kills it where it does not."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _clear(job: Job, should_abort: Callable[[], bool]) -> None:
    def go_on(gone: int) -> bool:
        if should_abort():
            raise jobs.Stopped
        return jobs.progress(job.id, done=gone)

    jobs.step(job.id, "Removing embeddings")
    jobs.reckon(job.id, total=job.total)
    forget_model(job.params["hash"], go_on)
    jobs.finish(job.id, counts={"done": job.total})
