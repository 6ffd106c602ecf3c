"""A raster of 3 GB, made on the spot, goes through the whole preparation in little memory, stops and begins again."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window as RasterioWindow

from backend.jobs.models import Job
from backend.jobs.services import Stopped
from backend.rasters import jobs, reading
from ml.windows import Window
from tests.support.memory import Peaks
from tests.support.rasters import NORTH_UP, UTM33, received
from tests.support.worlds import make_world

pytestmark = pytest.mark.django_db

SIDE, BLOCK = 31_744, 512
SIZE = 3 * 1024**3
MEMORY_LIMIT = 2 * 1024**3


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """Three bands of 31,744 px a side with pixels along the diagonal, and holes for the rest of its 3 GB."""
    path = tmp_path / "sparse.tif"
    form: dict[str, Any] = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8"}
    layout = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "sparse_ok": True, "bigtiff": "yes", "nodata": 0}
    noise = np.random.default_rng(0)
    with rasterio.open(path, "w", crs=UTM33, transform=NORTH_UP, **form, **layout) as made:
        for step in range(0, SIDE, 3 * BLOCK):
            pixels = noise.integers(1, 255, (3, BLOCK, BLOCK), dtype="uint8")
            made.write(pixels, window=RasterioWindow(step, step, BLOCK, BLOCK))
    with path.open("r+b") as file:
        file.truncate(SIZE)
    return path


@pytest.mark.timeout(600)
def test_three_gigabytes_are_prepared_in_less_than_two_and_a_stop_loses_nothing(
    settings: Any, tmp_path: Path, sparse: Path
) -> None:
    settings.DATA_DIR = tmp_path / "data"
    world = make_world()
    raster = received(world.project, world.owner, sparse)
    job = Job.objects.get(raster_id=raster.id)
    assert sparse.stat().st_size >= SIZE

    begun = time.monotonic()
    with pytest.raises(Stopped):
        jobs.prepare(str(job.id), lambda: time.monotonic() - begun > 2)
    assert not [path for path in settings.DATA_DIR.rglob("*") if path.is_file()]

    with Peaks() as peaks:
        jobs.prepare(str(job.id), lambda: False)

    raster.refresh_from_db()
    assert raster.state == "viewable", raster.error
    assert 0 < peaks.child < MEMORY_LIMIT
    assert peaks.rise < MEMORY_LIMIT
    with rasterio.open(sparse) as source:
        there = source.read([1, 2, 3], window=RasterioWindow(0, 0, 1024, 1024))
    seen = reading.read_window(raster, Window(0, 0, 1024))
    assert (seen.rgb == there.transpose(1, 2, 0)).all()
    assert seen.valid[:BLOCK, :BLOCK].all()
    assert not seen.valid[BLOCK:, :BLOCK].any()
    reading.forget_handles()
