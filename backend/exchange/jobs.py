"""The job that writes an export's file."""

from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import UUID

from backend.exchange import filters, services, writers
from backend.exchange.features import Feature, features
from backend.exchange.models import Export
from backend.exchange.reporting import Reporter
from backend.jobs import services as jobs
from backend.projects.models import LabelClass


def export(job_id: str, should_abort: Callable[[], bool]) -> None:
    """The job `exchange.export`: written aside and renamed; a repeat begins again."""
    job = jobs.start(UUID(job_id))
    row = Export.objects.select_related("project").filter(job_id=job_id).first() if job else None
    if job is None or row is None:
        return
    done = 0
    reporter = Reporter(job.id)

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if should_abort():
            raise jobs.Stopped
        reporter.report(done)

    target = services.file_of(row)
    aside = target.with_name(f".making.{row.format}")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside.unlink(missing_ok=True)
    batches = features(row.project_id, filters.read(row.filters), row.crs)
    try:
        _write(row, aside, batches, tick)
        aside.replace(target)
    finally:
        reporter.close()
        aside.unlink(missing_ok=True)
        aside.with_name(aside.name + "-journal").unlink(missing_ok=True)
    Export.objects.filter(id=row.id).update(size_bytes=target.stat().st_size)
    jobs.finish(job.id, counts={"done": done, "total": done})


def _write(row: Export, path: Path, batches: Iterable[list[Feature]], tick: Callable[[int], None]) -> None:
    if row.format == Export.Format.GEOJSON:
        writers.write_geojson(path, batches, row.crs, row.project.name, tick)
        return
    attributes: dict[str, str] = {}
    for label_class in LabelClass.objects.filter(project_id=row.project_id):
        for entry in label_class.attributes:
            same = attributes.get(entry["key"], entry["type"]) == entry["type"]
            attributes[entry["key"]] = entry["type"] if same else "text"
    writers.write_gpkg(path, batches, row.crs, attributes, tick)
