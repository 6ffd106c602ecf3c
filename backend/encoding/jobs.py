"""The two jobs that encode: a whole raster in the background, and one window that somebody clicked."""

import time
from collections.abc import Callable
from uuid import UUID

from backend.core.errors import Conflict
from backend.encoding import ability, engine, keeping, services
from backend.encoding.models import EncodeWindow
from backend.encoding.selectors import bytes_per_window, settled_windows, windows_of_any_model
from backend.jobs import services as jobs
from backend.jobs.models import Job
from backend.rasters.models import Raster
from ml.windows import SIZE, STRIDE, Window, plan_windows

COUNTED = {
    EncodeWindow.State.READY: "done",
    EncodeWindow.State.FAILED: "failed",
    EncodeWindow.State.SKIPPED: "skipped",
}
WAIT_SECONDS = 0.5
LOOK_SECONDS = 5.0  # how often a worker without a card looks whether one with a card has come


def run(job_id: str, should_abort: Callable[[], bool]) -> None:
    """The job `encoding.run`: every planned window that is not ready yet; a repeat goes on where it stopped.

    A raster that gets another recipe, other pixels or another model meanwhile is begun anew.
    """
    job = jobs.start(UUID(job_id))
    if job is None or job.raster_id is None:
        return
    while (raster := _viewable(job.raster_id, should_abort)) is not None:
        if _encode_all(job, raster, should_abort):
            break
    jobs.finish(job.id)


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


def _encode_all(job: Job, raster: Raster, should_abort: Callable[[], bool]) -> bool:
    """Encodes what is left of a raster as it is now; False when it is not that raster any more."""
    stride = int(job.params.get("stride", STRIDE))
    model = engine.model_of(raster.project_id)
    if job.params.get("again"):
        planned = windows_of_any_model(raster)
    else:
        planned = list(plan_windows(raster.width or 1, raster.height or 1, SIZE, stride))
    planned = planned[: keeping.windows_that_fit(bytes_per_window(model))]  # more would drive out the first of them
    settled = settled_windows(raster, model)
    todo = [window for window in planned if window not in settled]
    states = [settled[window] for window in planned if window in settled]
    counts = {"done": states.count("ready"), "failed": 0, "skipped": states.count("skipped")}
    jobs.reckon(job.id, total=len(planned), done=counts["done"], skipped=counts["skipped"])
    on_card, looked = bool(ability.here().card), 0.0
    for window in todo:
        if should_abort():
            raise jobs.Stopped
        if engine.model_of(raster.project_id) != model:
            return False
        if not on_card and time.monotonic() - looked > LOOK_SECONDS:
            jobs.move_to_card(job)
            looked = time.monotonic()
        state = services.encode_window(raster, window, model)
        if state is None:
            return False
        counts[COUNTED[state]] += 1
        if not jobs.progress(job.id, **counts):
            raise jobs.Stopped
    return True


def urgent(raster_id: str, col: int, row: int, size: int) -> None:
    """The job `encoding.urgent`: one window, at once."""
    raster = Raster.objects.filter(id=raster_id).first()
    if raster is not None:
        window = Window(col, row, size)
        services.check_window(raster, window)
        services.encode_window(raster, window, engine.model_of(raster.project_id))
