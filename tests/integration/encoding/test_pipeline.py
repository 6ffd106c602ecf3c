"""Reading, encoding and writing at the same time: what overlaps, what is bounded, and what a failure leaves."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from django.db import connection

from backend.core.errors import Conflict
from backend.encoding import ability, engine, pipeline, services
from backend.rasters.models import Raster
from ml.embeddings import Embedding, EmbeddingStore
from ml.encode import OnnxEncoder
from ml.windows import Window, each_window, plan_windows
from tests.support.encoding import FAILED, PLANNED, READY, files, rows, run, started
from tests.support.rasters import checks, make_tif, prepared
from tests.support.worlds import World

pytestmark = pytest.mark.django_db


class Batches:
    """An encoder that takes three windows at once and notes how many it was given."""

    batch = 3

    def __init__(self, refuses: Callable[[Any], bool] = lambda _: False) -> None:
        self.one = OnnxEncoder(engine.default_model())
        self.refuses, self.given = refuses, []  # type: ignore[var-annotated]

    def encode(self, pixels: Any) -> Embedding:
        return self.encode_many([pixels])[0]

    def encode_many(self, windows: Any) -> list[Embedding]:
        self.given.append(len(windows))
        if any(self.refuses(pixels) for pixels in windows):
            raise RuntimeError("cannot")
        return [self.one.encode(pixels) for pixels in windows]


def using(monkeypatch: pytest.MonkeyPatch, encoder: Any) -> Any:
    monkeypatch.setattr(ability, "encoder_of", lambda _: encoder)
    return encoder


def states(raster: Raster, go_on: Callable[[], bool] = lambda: True) -> list[Any]:
    return list(pipeline.encode_windows(raster, engine.default_model(), iter(PLANNED), go_on))


def test_the_next_window_is_read_while_one_is_encoded(raster: Raster, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Window] = []
    second_read = threading.Event()
    pixels_of = services.pixels_of

    def reading(raster: Raster, window: Window) -> Any:
        read.append(window)
        if len(read) == 2:
            second_read.set()
        return pixels_of(raster, window)

    class Waits(Batches):
        batch = 1

        def encode_many(self, windows: Any) -> list[Embedding]:
            assert second_read.wait(10), "the second window was not read while the first was being encoded"
            return super().encode_many(windows)

    monkeypatch.setattr(services, "pixels_of", reading)
    using(monkeypatch, Waits())

    assert states(raster) == [READY] * 6
    assert read == list(PLANNED)


@pytest.mark.parametrize("batch", [1, 3])
def test_no_more_is_read_than_the_next_two_batches(raster: Raster, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    encoder = using(monkeypatch, Batches())
    encoder.batch = batch
    asked = iter(each_window(100_000, 100_000))  # 12,544 windows, of which none but the first is asked for
    taken: list[Window] = []

    def some() -> Any:
        for window in asked:
            taken.append(window)
            yield PLANNED[len(taken) % 6]

    line = pipeline.encode_windows(raster, engine.default_model(), some(), lambda: True)
    next(line)
    line.close()

    assert len(taken) <= 4 * batch


def test_windows_are_encoded_in_batches_where_the_encoder_likes_them(
    world: World, raster: Raster, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = using(monkeypatch, Batches())

    job = run(started(world, raster))

    assert (job.state, job.done) == ("done", 6)
    assert encoder.given == [3, 3]
    assert rows(raster) == dict.fromkeys(PLANNED, "ready")


def test_of_a_batch_that_fails_each_is_tried_alone_and_only_the_bad_one_is_marked(
    raster: Raster, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = services.pixels_of(raster, PLANNED[1])
    assert bad is not None
    using(monkeypatch, Batches(lambda pixels: pixels.shape == bad.shape and bool((pixels == bad).all())))
    same = {window for window in PLANNED if np.array_equal(services.pixels_of(raster, window), bad)}

    found = states(raster)

    assert sorted(found) == sorted([FAILED] * len(same) + [READY] * (6 - len(same)))
    assert {window for window, state in rows(raster).items() if state == "failed"} == same


def test_a_window_that_a_click_has_encoded_meanwhile_is_not_encoded_again(raster: Raster, encoded: list[int]) -> None:
    def click() -> bool:
        if len(encoded) == 1:
            services.encode_window(raster, PLANNED[4], engine.default_model())
        return True

    assert states(raster, click) == [READY] * 6
    assert len(encoded) == 6


def test_what_was_encoded_when_told_to_stop_is_still_written_and_settled(raster: Raster, data: Path) -> None:
    left = iter([True, True])

    found = states(raster, lambda: next(left, False))

    assert found == [READY, READY]
    assert rows(raster) == dict.fromkeys(PLANNED[:2], "ready")
    assert len(files(data)) == 2


def test_a_full_disk_ends_it_with_that_error_and_leaves_no_lock_and_no_half_file(
    raster: Raster, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = EmbeddingStore.put

    def full(self: EmbeddingStore, key: Any, embedding: Any) -> Any:
        if key.window == PLANNED[2]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return put(self, key, embedding)

    monkeypatch.setattr(EmbeddingStore, "put", full)

    with pytest.raises(Conflict) as refused:
        states(raster)

    assert refused.value.code == "encode.no_disk"
    assert locks_held() == 0
    assert len(files(data)) == 2
    assert rows(raster) == {PLANNED[0]: "ready", PLANNED[1]: "ready", PLANNED[2]: "failed"}


def test_who_hears_no_further_leaves_no_lock(raster: Raster) -> None:
    line = pipeline.encode_windows(raster, engine.default_model(), iter(PLANNED), lambda: True)
    next(line)
    assert locks_held() > 0

    line.close()

    assert locks_held() == 0


def locks_held() -> int:
    """The locks of windows that this connection has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        return int(cursor.fetchone()[0])


CHILD = """
import os, resource, sys
import django
os.environ["GDAL_CACHEMAX"] = "64"  # as `manage.py work` has it, with less
django.setup()
from pathlib import Path
from django.conf import settings
settings.DATA_DIR = Path(sys.argv[1]) / "data"
settings.MODEL_DIRS, settings.MODEL = [Path(sys.argv[1]) / "models"], ""
from backend.encoding import engine, jobs
from backend.encoding.models import EncodeWindow
engine.encoder(engine.default_model())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
jobs.run(sys.argv[2], lambda: False)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(600)
def test_memory_does_not_grow_with_the_raster(world: World, tmp_path: Path) -> None:
    """A sparse raster of 24,000 x 12,000 px: 378 windows, 860 MB of pixels, nearly all without data."""
    small = prepared(world.project, world.owner, make_tif(tmp_path / "s.tif", checks(64, 64)))
    transform = rasterio.Affine(1, 0, 500_000, 0, -1, 5_000_000)
    profile = {
        "driver": "GTiff", "width": 24_000, "height": 12_000, "count": 3, "dtype": "uint8", "tiled": True,
        "blockxsize": 512, "blockysize": 512, "SPARSE_OK": True, "nodata": 0, "compress": "deflate",
        "crs": "EPSG:32633", "transform": transform,
    }  # fmt: skip
    with rasterio.open(tmp_path / "data" / "large.tif", "w", **profile) as large:
        for at in range(0, 12_000, 4_000):
            large.write(checks(1024, 1024), window=rasterio.windows.Window(at, at, 1024, 1024))
    said = {"cog_path": "large.tif", "width": 24_000, "height": 12_000, "transform": list(transform)[:6]}
    Raster.objects.filter(id=small.id).update(**said)
    job = started(world, Raster.objects.get(id=small.id))
    parts = connection.settings_dict
    url = f"postgres://{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"
    env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}

    words = [sys.executable, "-c", CHILD, str(tmp_path), str(job.id)]
    answer = subprocess.run(words, env=env, stdout=subprocess.PIPE, text=True, check=True)

    job.refresh_from_db()
    assert (job.state, job.total) == ("done", len(plan_windows(24_000, 12_000)))
    assert job.done >= 3
    assert job.skipped == job.total - job.done
    assert int(answer.stdout) < 250, f"memory grew by {answer.stdout} MB"
