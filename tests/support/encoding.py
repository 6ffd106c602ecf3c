"""The raster of six windows that encode jobs are tried on, and what one does with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import rasterio

from backend.encoding import jobs
from backend.encoding.models import EncodeWindow
from backend.jobs.models import Job
from backend.rasters import reading
from backend.rasters.models import Raster
from ml.windows import Window, plan_windows
from tests.support.rasters import body
from tests.support.worlds import World, client_of

WIDTH, HEIGHT = 2000, 1100  # six windows: columns 0, 896 and 976, rows 0 and 76
PLANNED = plan_windows(WIDTH, HEIGHT)
READY, FAILED, SKIPPED = EncodeWindow.State.READY, EncodeWindow.State.FAILED, EncodeWindow.State.SKIPPED


def start(world: World, raster: Raster, **said: Any) -> Any:
    return client_of(world.owner).post(f"/api/rasters/{raster.id}/encode-jobs", said)


def started(world: World, raster: Raster, **said: Any) -> Job:
    answer = start(world, raster, **said)
    assert answer.status_code == 201, answer.content
    return Job.objects.get(id=body(answer)["id"])


def run(job: Job, should_abort: Callable[[], bool] = lambda: False) -> Job:
    jobs.run(str(job.id), should_abort)
    job.refresh_from_db()
    return job


def rows(raster: Raster) -> dict[Window, str]:
    found = EncodeWindow.objects.filter(raster=raster).values_list("col", "row", "size", "state")
    return {Window(col, row, size): state for col, row, size, state in found}


def files(data: Path) -> list[Path]:
    return sorted(path for path in (data / "embeddings").rglob("*") if path.is_file())


def after(count: int) -> Callable[[], bool]:
    """A `should_abort` that says no so many times."""
    left = iter([False] * count)
    return lambda: next(left, True)


def get(world: World, address: str) -> Any:
    answer = client_of(world.viewer).get(address)
    assert answer.status_code == 200, answer.content
    return body(answer)


def failing_for(bad: Window) -> Callable[[Raster, Window], Any]:
    def read(raster: Raster, window: Window) -> Any:
        if window == bad:
            raise rasterio.errors.RasterioIOError("Read failed")
        return reading.read_window(raster, window)

    return read
