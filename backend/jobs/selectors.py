"""Reads the table of jobs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.core.clock import iso, now
from backend.jobs.models import Job, WorkerBeat
from backend.jobs.routing import AWAY_SECONDS


def jobs_of_project(project_id: UUID, limit: int = 100) -> Sequence[Job]:
    """The project's newest jobs."""
    return list(Job.objects.filter(project_id=project_id).select_related("created_by").order_by("-created_at")[:limit])


def jobs_of_server(limit: int = 50) -> Sequence[Job]:
    """The newest jobs that belong to no project."""
    return list(Job.objects.filter(project_id=None).select_related("created_by").order_by("-created_at")[:limit])


def open_job(raster_id: UUID, kind: str) -> Job | None:
    """The raster's queued or running job of this kind, if there is one."""
    return Job.objects.filter(raster_id=raster_id, kind=kind, state__in=Job.OPEN).first()


def worker_seen_at(host: str = "") -> datetime | None:
    """When any worker, or one on this host, last said that it lives."""
    beats = WorkerBeat.objects.filter(name__startswith=f"{host}:") if host else WorkerBeat.objects.all()
    return beats.order_by("-seen_at").values_list("seen_at", flat=True).first()


def workers_json() -> list[dict[str, Any]]:
    """The workers that have lived within the last day: what each serves, what it can encode with, and if it lives."""
    since = now() - timedelta(seconds=AWAY_SECONDS)
    return [
        {
            "name": beat.name,
            "lanes": beat.queues,
            "seen_at": iso(beat.seen_at),
            "alive": beat.seen_at > since,
            "can": beat.can or None,
        }
        for beat in WorkerBeat.objects.order_by("-seen_at", "name")
    ]


def job_json(job: Job) -> dict[str, Any]:
    """The job as the wire has it; the seconds left are estimated from its own pace."""
    by = job.created_by
    return {
        "id": str(job.id),
        "kind": job.kind,
        "project": str(job.project_id) if job.project_id else None,
        "raster": str(job.raster_id) if job.raster_id else None,
        "state": job.state,
        "total": job.total,
        "done": job.done,
        "failed": job.failed,
        "skipped": job.skipped,
        "started_at": iso(job.started_at) if job.started_at else None,
        "eta_seconds": _eta_seconds(job),
        "error": job.error,
        "created_by": {"id": str(by.id), "display_name": by.display_name} if by else None,
        "created_at": iso(job.created_at),
    }


def _eta_seconds(job: Job) -> float | None:
    passed = job.done + job.failed + job.skipped
    first = int(job.params.get("passed_at_start", 0))
    if job.state != Job.State.RUNNING or job.started_at is None or passed <= first or job.total <= 0:
        return None
    since = datetime.fromisoformat(job.params["paced_from"]) if "paced_from" in job.params else job.started_at
    pace = (now() - since).total_seconds() / (passed - first)
    return round(pace * max(job.total - passed, 0), 1)
