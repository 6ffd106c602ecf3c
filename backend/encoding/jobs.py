"""The two jobs that encode: a whole raster in the background, and one window that somebody clicked."""

import time
from collections.abc import Callable
from uuid import UUID

from backend.core.errors import Conflict
from backend.encoding import engine, services
from backend.encoding.models import EncodeWindow
from backend.encoding.selectors import settled_windows
from backend.jobs import services as jobs
from backend.jobs.models import Job
from backend.rasters.models import Raster
from ml.windows import SIZE, STRIDE, Window, plan_windows

WAIT_SECONDS = 0.5


def run(job_id: str, should_abort: Callable[[], bool]) -> None:
    """The job `encoding.run`: every planned window that is not ready yet; a repeat goes on where it stopped."""
    job = jobs.start(UUID(job_id))
    raster = _viewable(job.raster_id, should_abort) if job and job.raster_id else None
    if job is None or raster is None:
        return
    planned = plan_windows(raster.width or 1, raster.height or 1, SIZE, job.params.get("stride", STRIDE))
    settled = settled_windows(raster, engine.active_model())
    todo = [window for window in planned if window not in settled]
    counts = {"done": len(planned) - len(todo), "failed": 0, "skipped": 0}
    _note_start(job, counts["done"], len(planned))
    names = {
        EncodeWindow.State.READY: "done",
        EncodeWindow.State.FAILED: "failed",
        EncodeWindow.State.SKIPPED: "skipped",
    }
    for window in todo:
        if should_abort():
            raise jobs.Stopped
        counts[names[services.encode_window(raster, window)]] += 1
        if not jobs.progress(job.id, **counts):
            raise jobs.Stopped
    jobs.finish(job.id, counts=counts)


def _viewable(raster_id: UUID, should_abort: Callable[[], bool]) -> Raster | None:
    """The raster once it is prepared; None when it was removed. Raises `encode.not_viewable` for a refused one."""
    while True:
        raster = Raster.objects.filter(id=raster_id).first()
        if raster is None or raster.state == Raster.State.VIEWABLE:
            return raster
        if raster.state == Raster.State.REFUSED:
            raise Conflict("The raster was refused. See its card for what to do.", code="encode.not_viewable")
        if should_abort():
            raise jobs.Stopped
        time.sleep(WAIT_SECONDS)


def urgent(raster_id: str, col: int, row: int, size: int) -> None:
    """The job `encoding.urgent`: one window, at once."""
    raster = Raster.objects.filter(id=raster_id).first()
    if raster is not None:
        services.encode_window(raster, Window(col, row, size))


def _note_start(job: Job, done: int, total: int) -> None:
    """The pace, and so the time left, counts only what this run does."""
    job.params["passed_at_start"] = done
    job.total = total
    job.save(update_fields=["params", "total"])
    jobs.progress(job.id, done=done, total=total, failed=0, skipped=0)
