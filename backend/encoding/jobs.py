"""The two jobs that encode: a whole raster in the background, and one window that somebody clicked."""

import contextlib
import functools
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from backend.core.errors import Conflict
from backend.encoding import ability, engine, keeping, services
from backend.encoding.models import EncodeWindow
from backend.encoding.pipeline import encode_windows
from backend.encoding.selectors import bytes_per_window, windows_of_any_model, with_states
from backend.jobs import services as jobs
from backend.jobs.models import Job
from backend.rasters.models import Raster
from ml.models import InstalledModel
from ml.windows import SIZE, STRIDE, Window, each_window

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
    model = engine.model_of(raster.project_id)
    planned = functools.partial(_planned, job, raster, keeping.windows_that_fit(bytes_per_window(model)))
    begun = Counter(state for _, state in with_states(raster, model, planned()))
    counts = {"done": begun["ready"], "failed": 0, "skipped": begun["skipped"]}
    jobs.reckon(job.id, total=begun.total(), done=counts["done"], skipped=counts["skipped"])
    watch = _Watch(job, raster, model, should_abort)
    todo = (window for window, state in with_states(raster, model, planned()) if state is None)
    with contextlib.closing(encode_windows(raster, model, todo, watch.go_on)) as states:
        for state in states:
            if state is None:
                return False
            counts[COUNTED[state]] += 1
            if not jobs.progress(job.id, **counts):
                watch.stopped = watch.stopped or jobs.Stopped()
    if watch.stopped is not None:
        raise watch.stopped
    return not watch.other_model


def _planned(job: Job, raster: Raster, most: int | None) -> Iterator[Window]:
    """The windows of a job, row by row; no more than are kept, since more would drive out the first of them."""
    if job.params.get("again"):
        found = iter(windows_of_any_model(raster))
    else:
        found = each_window(raster.width or 1, raster.height or 1, SIZE, int(job.params.get("stride", STRIDE)))
    return itertools.islice(found, most)


@dataclass
class _Watch:
    """Whether a job goes on: not when it is to stop, when a card has come, or when its raster has another model."""

    job: Job
    raster: Raster
    model: InstalledModel
    should_abort: Callable[[], bool]
    stopped: jobs.Stopped | None = None
    other_model: bool = False
    looked: float = 0.0

    def go_on(self) -> bool:
        """Asked before each batch."""
        if self.stopped is None and self.should_abort():
            self.stopped = jobs.Stopped()
        if self.stopped is None and not ability.here().card and time.monotonic() - self.looked > LOOK_SECONDS:
            self.looked = time.monotonic()
            try:
                jobs.move_to_card(self.job)
            except jobs.Moved as moved:
                self.stopped = moved
        self.other_model = self.stopped is None and engine.model_of(self.raster.project_id) != self.model
        return self.stopped is None and not self.other_model


def urgent(raster_id: str, col: int, row: int, size: int) -> None:
    """The job `encoding.urgent`: one window, at once."""
    raster = Raster.objects.filter(id=raster_id).first()
    if raster is not None:
        window = Window(col, row, size)
        services.check_window(raster, window)
        services.encode_window(raster, window, engine.model_of(raster.project_id))
