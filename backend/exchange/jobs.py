"""The job that writes an export's file."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

from backend.core.errors import Unavailable
from backend.exchange import filters, services, writers
from backend.exchange.features import snapshot
from backend.exchange.models import Export
from backend.exchange.projection import is_lonlat
from backend.exchange.reporting import Reporter
from backend.jobs import services as jobs

FULL = {errno.ENOSPC, errno.EDQUOT}


def export(job_id: str, should_abort: Callable[[], bool]) -> None:
    """The job `exchange.export`: written aside and renamed; a repeat begins again."""
    job = jobs.start(UUID(job_id))
    if job is None:
        return
    row = Export.objects.select_related("project").filter(job_id=job_id).first()
    if row is None:  # removed before it began
        jobs.finish(job.id)
        return
    services.remove_expired()
    target = services.file_of(row)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_asides(target.parent)
    aside = target.with_name(f".{uuid4()}.{row.format}")
    try:
        count = _write(row, aside, job.id, should_abort)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(target)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise Unavailable(
            "The server's disk is full. Tell your administrator, then start the export again.", code="export.no_space"
        ) from error
    finally:
        _remove_asides(target.parent)
    services.finished(row.id, target.stat().st_size)
    jobs.finish(job.id, counts={"done": count, "total": count})


def _write(row: Export, path: Path, job_id: UUID, should_abort: Callable[[], bool]) -> int:
    reporter = Reporter(job_id)
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if should_abort():
            raise jobs.Stopped
        reporter.report(done)

    try:
        with snapshot(row.project_id, filters.read(row.filters)) as seen:
            reporter.begin(seen.total)
            if row.format == Export.Format.GEOJSON:
                batches = seen.batches(as_text=is_lonlat(row.crs))
                writers.write_geojson(path, batches, row.crs, row.project.name, tick)
            else:
                writers.write_gpkg(path, seen.batches(as_text=False), row.crs, seen.attribute_types(), tick)
    finally:
        reporter.close()
    return done


def _remove_asides(folder: Path) -> None:
    """What an attempt that was killed has left, SQLite's own files too."""
    for path in folder.glob(".*"):
        path.unlink(missing_ok=True)
