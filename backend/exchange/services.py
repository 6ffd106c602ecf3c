"""Every write about exports."""

import re
import shutil
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from backend.accounts.models import User
from backend.core.clock import now
from backend.core.errors import Conflict, Invalid, TooMany
from backend.exchange import filters
from backend.exchange.features import filtered_rows
from backend.exchange.models import Export
from backend.jobs import services as jobs
from backend.jobs.models import Job
from backend.projects.models import Project

OPEN_EXPORTS = 5
KEPT = timedelta(days=14)


def ask(project: Project, said: dict[str, Any], *, actor: User) -> Export:
    """Puts an export into the queue. Raises `export.invalid`, `export.invalid_crs`, `export.too_many`."""
    kind = said.get("format")
    if kind not in Export.Format.values:
        raise Invalid(f"Choose a format: {', '.join(Export.Format.values)}.", code="export.invalid")
    chosen = said.get("filters") or {}
    wanted = filters.read(chosen)
    crs = filters.read_crs(said.get("crs") or "EPSG:4326")
    with transaction.atomic():
        open_jobs = Job.objects.filter(kind="export", project_id=project.id, state__in=Job.OPEN, created_by=actor)
        if open_jobs.count() >= OPEN_EXPORTS:
            raise TooMany("Several of your exports are under way. Wait for one to end.", code="export.too_many")
        export = Export.objects.create(
            project=project,
            format=kind,
            crs=crs,
            filters=filters.for_row(chosen),
            filename=f"{_slug(project.name)}-{now():%Y%m%d-%H%M}.{kind}",
            created_by=actor,
        )
        job = jobs.create(
            "export",
            "exchange.export",
            project_id=project.id,
            created_by_id=actor.id,
            total=filtered_rows(project.id, wanted).count(),
            params={"export": str(export.id)},
        )
        export.job_id = job.id
        export.save(update_fields=["job_id"])
    return export


def delete(export: Export) -> None:
    """Removes an export and its file; stops it if it is under way."""
    with transaction.atomic():
        job = Job.objects.filter(id=export.job_id, state__in=Job.OPEN).first() if export.job_id else None
        if job is not None:
            with suppress(Conflict):  # it has ended in the meantime
                jobs.cancel(job.id)
        folder = folder_of(export.id)
        export.delete()
        transaction.on_commit(partial(shutil.rmtree, folder, ignore_errors=True))


def finished(export_id: UUID, size_bytes: int) -> None:
    """Notes that the file is there; removes it again if the export was removed while it was written."""
    if not Export.objects.filter(id=export_id).update(size_bytes=size_bytes):
        shutil.rmtree(folder_of(export_id), ignore_errors=True)


def remove_expired() -> None:
    """Removes the exports that nobody should count on any more, with their files."""
    for export in Export.objects.filter(created_at__lt=now() - KEPT):
        delete(export)


def delete_of_project(project_id: UUID) -> None:
    """Removes the files of a project's exports once its removal is committed."""
    for export_id in Export.objects.filter(project_id=project_id).values_list("id", flat=True):
        transaction.on_commit(partial(shutil.rmtree, folder_of(export_id), ignore_errors=True))


def folder_of(export_id: UUID) -> Path:
    """Where an export's file lies."""
    return Path(settings.DATA_DIR, "exports", str(export_id))


def file_of(export: Export) -> Path:
    """The finished file."""
    return folder_of(export.id) / f"data.{export.format}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "export"
