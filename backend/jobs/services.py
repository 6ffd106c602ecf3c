"""Every write to the table of jobs: create with its queue entry, progress, end."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from backend.core.clock import now
from backend.core.errors import Conflict
from backend.events import services as events
from backend.jobs import engine, routing
from backend.jobs.models import Job, WorkerBeat
from backend.jobs.selectors import job_json

log = logging.getLogger(__name__)

REMEMBERED = timedelta(days=1)  # how long a worker that is silent is listed

# Rooms above hear, in the same transaction, that a job of theirs has ended, in whatever way.
on_end: list[Callable[[Job], None]] = []


# What this process can encode with, as the rooms above know it: given with each beat of a worker.
abilities: list[Callable[[], Mapping[str, Any]]] = []


class Stopped(Exception):
    """A job's function saw that it should stop, and did, with what was done so far stored."""


class Moved(Stopped):
    """The same, since a worker with a graphics card is there to go on with it."""


def create(
    kind: str,
    name: str,
    *,
    project_id: UUID | None,
    raster_id: UUID | None = None,
    created_by_id: UUID | None = None,
    total: int = 0,
    params: Mapping[str, Any] | None = None,
    priority: int = 0,
    lock: str | None = None,
    needs: str = "",
) -> Job:
    """Makes the job's row and puts it into the queue, both in one transaction; the job gets `job_id`.

    `needs` is the model that it works with.
    """
    with transaction.atomic():
        job = Job.objects.create(
            kind=kind,
            project_id=project_id,
            raster_id=raster_id,
            created_by_id=created_by_id,
            total=total,
            params={**(params or {}), "name": name, "priority": priority, "lock": lock, "needs": needs},
        )
        job.engine_job_id = engine.defer(name, {"job_id": str(job.id)}, priority=priority, lock=lock, needs=needs)
        job.save(update_fields=["engine_job_id"])
        tell(job)
    return job


def enqueue(name: str, args: Mapping[str, Any], *, priority: int = 0, lock: str | None = None, needs: str = "") -> int:
    """Puts a job without a visible row into the queue, inside the current transaction."""
    return engine.defer(name, args, priority=priority, lock=lock, needs=needs)


def start(job_id: UUID) -> Job | None:
    """Marks a job as running; None when it was cancelled, ended or removed before it began."""
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(id=job_id).first()
        if job is None or job.state not in (Job.State.QUEUED, Job.State.RUNNING):
            if job is not None and job.state == Job.State.CANCELLING:
                _end(job, Job.State.CANCELLED)
            return None
        job.state = Job.State.RUNNING
        job.started_at = job.started_at or now()
        job.save(update_fields=["state", "started_at", "updated_at"])
        tell(job)
        return job


def progress(job_id: UUID, **counts: int) -> bool:
    """Stores `done`, `total`, `failed` or `skipped` and tells the project; False when the job should stop."""
    with transaction.atomic():
        Job.objects.filter(id=job_id).update(**counts, updated_at=now())
        job = Job.objects.filter(id=job_id).first()
        if job is None:
            return False
        tell(job)
        return job.state == Job.State.RUNNING


def step(job_id: UUID, what: str) -> None:
    """Says in words what a job is doing now; its counts begin anew."""
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(id=job_id).first()
        if job is None:
            return
        job.params = {**job.params, "step": what}
        job.save(update_fields=["params", "updated_at"])
    reckon(job_id, total=0)


def reckon(job_id: UUID, *, total: int, done: int = 0, skipped: int = 0) -> None:
    """Notes what was done before this run: the time left is reckoned from here, by what this run does."""
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(id=job_id).first()
        if job is None:
            return
        job.total, job.done, job.failed, job.skipped = total, done, 0, skipped
        job.params = {**job.params, "passed_at_start": done + skipped, "paced_from": now().isoformat()}
        job.save(update_fields=["total", "done", "failed", "skipped", "params", "updated_at"])
        tell(job)


def finish(
    job_id: UUID,
    *,
    error: Mapping[str, Any] | None = None,
    counts: Mapping[str, int] | None = None,
    result: Mapping[str, Any] | None = None,
) -> None:
    """Ends a job as done, as cancelled where that was asked for, or as failed with `{code, message}`.

    `result` is what came of it, for those who started it.
    """
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(id=job_id).first()
        if job is None or job.state not in Job.OPEN:
            return
        for name, value in (counts or {}).items():
            setattr(job, name, value)
        if result is not None:
            job.params = {**job.params, "result": dict(result)}
        if error is not None:
            job.error = dict(error)
            _end(job, Job.State.FAILED)
        else:
            _end(job, Job.State.CANCELLED if job.state == Job.State.CANCELLING else Job.State.DONE)


def cancel(job_id: UUID) -> Job:
    """Asks a job to stop; a queued one ends at once. Raises `job.not_running` when it has ended."""
    with transaction.atomic():
        job = Job.objects.select_for_update().get(id=job_id)
        if job.state not in Job.OPEN:
            raise Conflict("This job has already ended.", code="job.not_running")
        if job.engine_job_id is not None:
            engine.abort(job.engine_job_id)
        if job.state == Job.State.QUEUED:
            _end(job, Job.State.CANCELLED)
        else:
            job.state = Job.State.CANCELLING
            job.save(update_fields=["state", "updated_at"])
            tell(job)
        return job


def retry(job_id: UUID) -> Job:
    """Puts an ended job into the queue again; what is done stays done. Raises `job.still_running`."""
    with transaction.atomic():
        job = Job.objects.select_for_update().get(id=job_id)
        if job.state in Job.OPEN:
            raise Conflict("This job is still under way.", code="job.still_running")
        job.state, job.error, job.finished_at, job.started_at = Job.State.QUEUED, None, None, None
        job.engine_job_id = engine.defer(
            job.params["name"],
            {"job_id": str(job.id)},
            priority=job.params.get("priority", 0),
            lock=job.params.get("lock"),
            needs=job.params.get("needs", ""),
        )
        job.save()
        tell(job)
        return job


def beat(name: str, lanes: list[str], can: Mapping[str, Any] | None = None) -> None:
    """Notes that a worker lives, which lanes it serves and what it can encode with; forgets those long gone."""
    WorkerBeat.objects.update_or_create(name=name, defaults={"seen_at": now(), "queues": lanes, "can": dict(can or {})})
    WorkerBeat.objects.filter(seen_at__lt=now() - REMEMBERED).delete()


def leave(name: str) -> None:
    """Notes that a worker has stopped, so that no work is meant for it from now on."""
    WorkerBeat.objects.filter(name=name).delete()


def move_to_card(job: Job) -> None:
    """Raises `Moved` when a worker with a graphics card has come that should go on with this job."""
    if routing.cards_alive("bulk", job.params.get("needs", "")):
        raise Moved


def tell(job: Job) -> None:
    """Sends the job's state to its project as a hint."""
    if job.project_id is None:
        return
    events.hint(job.project_id, {"type": "job", "job": job_json(job)})


def _end(job: Job, state: Job.State) -> None:
    job.state = state
    job.finished_at = now()
    job.save()
    tell(job)
    for heard in on_end:
        heard(job)
