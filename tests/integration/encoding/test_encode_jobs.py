"""Encode jobs from the estimate to the last window, and all that can come between."""

import errno
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from backend.encoding import engine, services
from backend.encoding.models import EncodeWindow
from backend.encoding.selectors import ready_by_model
from backend.jobs import services as job_services
from backend.jobs.models import Job
from backend.rasters import reading
from backend.rasters import services as raster_services
from backend.rasters.models import Raster
from ml.embeddings import EmbeddingStore
from ml.windows import plan_windows
from tests.support.encoding import (
    HEIGHT,
    PLANNED,
    WIDTH,
    after,
    failing_for,
    files,
    get,
    rows,
    run,
    start,
    started,
)
from tests.support.rasters import body, checks, make_tif, prepared
from tests.support.worlds import World, client_of

pytestmark = pytest.mark.django_db


def test_the_estimate_says_windows_megabytes_and_minutes_before_anything_starts(world: World, raster: Raster) -> None:
    said = get(world, f"/api/rasters/{raster.id}/encode-plan")

    assert (said["windows"], said["ready"], said["model"]) == (6, 0, "constant")
    assert said["megabytes"] == pytest.approx(6 * 8.39 * 0.75, abs=0.1)
    assert said["minutes"] == pytest.approx(6 * said["seconds_per_window"] / 60, abs=0.1)
    assert not Job.objects.filter(kind="encode").exists()


def test_a_closer_stride_means_more_windows(world: World, raster: Raster) -> None:
    said = get(world, f"/api/rasters/{raster.id}/encode-plan?stride=512")

    assert said["windows"] == len(plan_windows(WIDTH, HEIGHT, 1024, 512)) == 6
    assert get(world, f"/api/rasters/{raster.id}/encode-plan?stride=256")["windows"] == 10


def test_the_estimate_is_what_was_measured_here_once_there_is_a_measure(world: World, raster: Raster) -> None:
    run(started(world, raster))
    EncodeWindow.objects.update(encode_ms=1500)

    said = get(world, f"/api/rasters/{raster.id}/encode-plan")

    assert (said["ready"], said["seconds_per_window"]) == (6, 1.5)
    assert (said["megabytes"], said["minutes"]) == (0, 0)


def test_a_job_encodes_every_window_and_says_how_far_it_is(world: World, raster: Raster, data: Path) -> None:
    job = started(world, raster)
    assert (job.kind, job.state, job.total, job.raster_id) == ("encode", "queued", 6, raster.id)

    run(job)

    assert (job.state, job.done, job.failed, job.skipped, job.total) == ("done", 6, 0, 0, 6)
    assert rows(raster) == dict.fromkeys(PLANNED, "ready")
    assert len(files(data)) == 6
    for row in EncodeWindow.objects.all():
        assert (data / "embeddings" / row.path).stat().st_size == row.nbytes
        assert len(row.sha256) == 64
        assert row.encode_ms is not None
    assert ready_by_model(raster)[engine.default_model().sha256] == set(PLANNED)


def test_windows_are_listed_with_state_and_outline(world: World, raster: Raster) -> None:
    services.encode_window(raster, PLANNED[0], engine.default_model())

    said = get(world, f"/api/rasters/{raster.id}/windows")

    assert (said["model"], said["stride"], said["size"]) == ("constant", 896, 1024)
    assert said["totals"] == {"planned": 6, "ready": 1, "failed": 0, "skipped": 0, "model": "constant"}
    assert [window["state"] for window in said["windows"]] == ["ready"] + ["planned"] * 5
    assert [(window["col"], window["row"]) for window in said["windows"]] == [(w.col, w.row) for w in PLANNED]
    assert [len(window["polygon"]) for window in said["windows"]] == [5] * 6
    west, south, east, north = get(world, f"/api/rasters/{raster.id}")["bbox"]
    corners = np.array([corner for window in said["windows"] for corner in window["polygon"]])
    assert corners.min(axis=0).tolist() == pytest.approx([west, south], abs=2e-5)
    assert corners.max(axis=0).tolist() == pytest.approx([east, north], abs=2e-5)


def test_a_raster_smaller_than_a_window_has_one_that_is_padded(
    world: World, tmp_path: Path, encoded: list[int]
) -> None:
    small = prepared(world.project, world.owner, make_tif(tmp_path / "small.tif", checks(96, 128)))

    job = run(started(world, small))

    assert (job.total, job.done, encoded) == (1, 1, [128])
    (window,) = get(world, f"/api/rasters/{small.id}/windows")["windows"]
    (a, _, c, _, _) = small.footprint.coords[0][:5]
    assert {tuple(np.round(corner, 5)) for corner in window["polygon"]} >= {tuple(np.round(a, 5))} or c


def test_windows_without_data_are_skipped(world: World, tmp_path: Path, data: Path, encoded: list[int]) -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, :800] = True
    half = prepared(world.project, world.owner, make_tif(tmp_path / "half.tif", checks(HEIGHT, WIDTH), mask=mask))

    job = run(started(world, half))

    assert (job.state, job.done, job.skipped, job.failed) == ("done", 2, 4, 0)
    assert {window.col for window, state in rows(half).items() if state == "skipped"} == {896, 976}
    assert len(encoded) == len(files(data)) == 2
    again = run(started(world, half))
    assert (again.done, again.skipped, len(encoded)) == (2, 4, 2)


def test_one_bad_window_does_not_fail_the_raster(world: World, tmp_path: Path, data: Path) -> None:
    """Bytes of the prepared file are overwritten where a tile of the last window lies."""
    noise = np.random.default_rng(3).integers(0, 255, (3, HEIGHT, WIDTH), np.uint8)
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "noise.tif", noise))
    path = data / raster.cog_path
    with rasterio.open(path) as cog:
        across, down = (WIDTH - 1) // cog.block_shapes[0][1], (HEIGHT - 1) // cog.block_shapes[0][0]
        offset = int(cog.get_tag_item(f"BLOCK_OFFSET_{across}_{down}", "TIFF", bidx=1))
        assert offset > 0
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 64)
    reading.forget_handles()

    job = run(started(world, raster))

    assert job.state == "done"
    assert job.failed >= 1
    assert job.done >= 1
    assert job.done + job.failed == 6
    assert rows(raster)[PLANNED[-1]] == "failed"
    assert rows(raster)[PLANNED[0]] == "ready"


def test_a_failed_window_is_tried_again_and_those_that_are_ready_are_not(
    world: World, raster: Raster, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(services, "read_window", failing_for(PLANNED[3]))
        job = run(started(world, raster))
    assert (job.done, job.failed) == (5, 1)

    job_services.retry(job.id)
    run(job)

    assert (job.state, job.done, job.failed, len(encoded)) == ("done", 6, 0, 6)


def test_a_repeat_is_harmless(world: World, raster: Raster, data: Path, encoded: list[int]) -> None:
    run(started(world, raster))
    before = {path: path.stat().st_mtime_ns for path in files(data)}

    job = run(started(world, raster))

    assert (job.state, job.done, len(encoded)) == ("done", 6, 6)
    assert {path: path.stat().st_mtime_ns for path in files(data)} == before


def test_a_stopped_job_goes_on_where_it_stopped(world: World, raster: Raster, encoded: list[int]) -> None:
    job = started(world, raster)
    with pytest.raises(job_services.Stopped):
        run(job, after(2))
    assert len(rows(raster)) == 2
    job.refresh_from_db()
    assert (job.state, job.done) == ("running", 2)

    run(job)

    assert (job.state, job.done, len(encoded)) == ("done", 6, 6)


def test_a_cancelled_job_keeps_what_is_done_and_resumes_when_retried(
    world: World, raster: Raster, encoded: list[int]
) -> None:
    job = started(world, raster)
    client = client_of(world.owner)

    def cancel_after_two() -> bool:
        if len(encoded) == 2:
            assert client.post(f"/api/jobs/{job.id}/cancel").status_code == 200
        return False

    with pytest.raises(job_services.Stopped):
        run(job, cancel_after_two)
    assert Job.objects.get(id=job.id).state == "cancelling"
    assert len(encoded) == 3  # the one under way was finished
    job_services.finish(job.id)  # as the wrapper around every job does
    assert Job.objects.get(id=job.id).state == "cancelled"

    answer = client.post(f"/api/jobs/{job.id}/retry")
    assert body(answer)["state"] == "queued"
    run(job)

    assert (job.state, job.done, len(encoded)) == ("done", 6, 6)


def test_the_time_left_is_reckoned_from_this_run(world: World, raster: Raster) -> None:
    job = started(world, raster)
    with pytest.raises(job_services.Stopped):
        run(job, after(3))
    Job.objects.filter(id=job.id).update(started_at="2020-01-01T00:00:00Z")
    said: list[Any] = []

    def look() -> bool:
        said.append(get(world, f"/api/jobs/{job.id}")["eta_seconds"])
        return False

    run(job, look)

    assert said[0] is None  # nothing was done yet in this run
    later = [seconds for seconds in said if seconds is not None]
    assert later
    assert 0 < later[0] < 60  # not six years


def test_another_recipe_meanwhile_begins_anew(world: World, raster: Raster, encoded: list[int]) -> None:
    job, before = started(world, raster), raster.recipe_hash

    def change_after_two() -> bool:
        if len(encoded) == 2 and Raster.objects.get(id=raster.id).recipe_hash == before:
            said = {**(raster.recipe or {}), "gamma": 1.5}
            answer = client_of(world.owner).patch(f"/api/rasters/{raster.id}", {"recipe": said})
            assert answer.status_code == 200, answer.content
        return False

    run(job, change_after_two)

    now = Raster.objects.get(id=raster.id)
    assert now.recipe_hash != before
    assert (job.state, job.done, job.total) == ("done", 6, 6)
    assert ready_by_model(now)[engine.default_model().sha256] == set(PLANNED)
    assert len(encoded) == 2 + 1 + 6  # two of the old recipe, the one under way, then all


@pytest.mark.django_db(transaction=True)
def test_a_raster_that_is_removed_meanwhile_ends_the_job_and_leaves_no_file(
    world: World, raster: Raster, data: Path, encoded: list[int]
) -> None:
    job = started(world, raster)

    def remove_after_two() -> bool:
        if len(encoded) == 2 and Raster.objects.filter(id=raster.id).exists():
            assert client_of(world.owner).delete(f"/api/rasters/{raster.id}").status_code == 204
        return False

    run(job, remove_after_two)

    assert job.state == "cancelled"
    assert files(data) == []
    assert not EncodeWindow.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_raster_that_is_removed_takes_its_embeddings_along(world: World, raster: Raster, data: Path) -> None:
    run(started(world, raster))
    assert len(files(data)) == 6

    raster_services.delete(Raster.objects.get(id=raster.id), actor=world.owner)

    assert files(data) == []


def test_a_full_disk_stops_the_job_with_words_and_leaves_nothing_half(
    world: World, raster: Raster, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = started(world, raster)
    put = EmbeddingStore.put

    def full(self: EmbeddingStore, key: Any, embedding: Any) -> Any:
        if key.window == PLANNED[2]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return put(self, key, embedding)

    with monkeypatch.context() as broken:
        broken.setattr(EmbeddingStore, "put", full)
        with pytest.raises(Exception, match="disk is full") as refused:
            run(job)
    assert getattr(refused.value, "code", "") == "encode.no_disk"
    assert rows(raster) == {PLANNED[0]: "ready", PLANNED[1]: "ready", PLANNED[2]: "failed"}
    assert len(files(data)) == 2

    run(job)

    assert (job.state, job.done) == ("done", 6)


def test_without_room_nothing_starts(world: World, raster: Raster, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(services.shutil, "disk_usage", lambda _: usage._replace(free=100 * 1024 * 1024))

    answer = start(world, raster)

    assert (answer.status_code, body(answer)["error"]["code"]) == (409, "encode.no_disk")
    assert "GB" in body(answer)["error"]["message"]
    assert not Job.objects.filter(kind="encode").exists()


def test_a_raster_is_encoded_by_one_job_at_a_time(world: World, raster: Raster) -> None:
    started(world, raster)

    answer = start(world, raster)

    assert (answer.status_code, body(answer)["error"]["code"]) == (409, "encode.already_running")
    assert Job.objects.filter(kind="encode").count() == 1
