"""What can come between while a raster is prepared: a change, a cancel, a kill, a full disk, a removal."""

import fcntl
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.jobs import services as job_services
from backend.jobs.models import Job
from backend.rasters import jobs, processes, services
from backend.rasters.models import Raster
from tests.support.rasters import (
    checks,
    kinds_of,
    make_tif,
    received,
    register,
    registered,
    run,
)
from tests.support.worlds import World, client_of

pytestmark = pytest.mark.django_db


def test_a_name_given_while_it_is_prepared_stays(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif"))
    real = processes.converted

    def meanwhile(*args: Any) -> None:
        Raster.objects.filter(id=raster.id).update(name="Renamed")
        real(*args)

    monkeypatch.setattr(processes, "converted", meanwhile)
    run(raster)

    assert (raster.name, raster.state) == ("Renamed", "viewable")


def test_a_cancelled_preparation_ends_on_the_card_and_can_be_begun_again(
    world: World, tmp_path: Path, data: Path
) -> None:
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif"))
    job = Job.objects.get(raster_id=raster.id)
    job_services.start(job.id)
    job_services.cancel(job.id)

    def aborted() -> bool:
        return True

    job.refresh_from_db()
    assert job.state == "cancelling"
    jobs.prepare(str(job.id), aborted)

    raster.refresh_from_db()
    assert (raster.state, raster.error["code"]) == ("refused", "raster.cancelled")
    assert client_of(world.owner).post(f"/api/rasters/{raster.id}/retry").status_code == 200
    run(raster)
    assert raster.state == "viewable"


def test_a_cancel_in_the_middle_leaves_nothing_half_made(world: World, tmp_path: Path, data: Path) -> None:
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif", checks(3000, 3000)))
    job = Job.objects.get(raster_id=raster.id)

    with pytest.raises(job_services.Stopped):
        jobs.prepare(str(job.id), lambda: True)

    assert not [path for path in data.rglob("*") if path.is_file()]
    jobs.prepare(str(job.id), lambda: False)
    raster.refresh_from_db()
    assert raster.state == "viewable"


def test_what_a_killed_conversion_left_is_cleared(world: World, tmp_path: Path, data: Path) -> None:
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif"))
    left = data / "rasters" / str(raster.id) / ".making-abc"
    left.mkdir(parents=True)
    (left / "cog.tif").write_bytes(b"half")

    run(raster)

    assert not left.exists()
    assert raster.state == "viewable"


def test_a_second_worker_on_the_same_file_waits_for_the_first(world: World, tmp_path: Path, data: Path) -> None:
    """The queue takes a worker that is silent for dead; its conversion may still run, and must keep its files."""
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif"))
    folder = data / "rasters" / str(raster.id)
    folder.mkdir(parents=True)
    half = folder / ".making-abc"
    half.write_bytes(b"of the first")
    first = os.open(folder, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    asked: list[bool] = []

    def ended() -> bool:
        if len(asked) == 2:
            assert half.exists()
            os.close(first)
        asked.append(True)
        return False

    jobs.prepare(str(Job.objects.get(raster_id=raster.id).id), ended)

    raster.refresh_from_db()
    assert len(asked) > 2
    assert raster.state == "viewable"
    assert not half.exists()


def test_a_bug_of_ours_is_not_blamed_on_the_file(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif"))
    job = Job.objects.get(raster_id=raster.id)
    monkeypatch.setattr(jobs, "band_statistics", lambda path: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        jobs.prepare(str(job.id), lambda: False)
    job_services.finish(job.id, error={"code": "server.error", "message": "x"})  # what the worker does then

    raster.refresh_from_db()
    assert (raster.state, raster.error["code"]) == ("refused", "raster.failed")


def test_a_full_disk_is_said_and_the_raster_can_be_tried_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif"))
    with monkeypatch.context() as patched:
        real = processes.shutil.disk_usage
        patched.setattr(processes.shutil, "disk_usage", lambda path: real(path)._replace(free=1000))
        run(raster)
    assert raster.error["code"] == "raster.no_disk"

    services.prepare_again(raster, actor=world.owner)
    run(raster)
    assert raster.state == "viewable"


def test_a_registered_file_that_is_gone_or_now_leads_elsewhere_is_missing(
    world: World, surveys: Path, tmp_path: Path
) -> None:
    make_tif(surveys / "a.tif")
    first = Raster.objects.get(id=register(world, "surveys/a.tif").json()["id"])
    (surveys / "a.tif").unlink()
    run(first)
    assert first.error["code"] == "raster.missing"

    make_tif(surveys / "b.tif")
    second = Raster.objects.get(id=register(world, "surveys/b.tif").json()["id"])
    (surveys / "b.tif").unlink()
    (surveys / "b.tif").symlink_to(make_tif(tmp_path / "secret.tif"))
    run(second)
    assert second.error["code"] == "raster.missing"


def test_a_removed_raster_takes_its_files_and_its_job_along(
    world: World, surveys: Path, data: Path, django_capture_on_commit_callbacks: Any
) -> None:
    raster = registered(world, surveys)
    services.prepare_again(raster, actor=world.owner)

    with django_capture_on_commit_callbacks(execute=True):
        answer = client_of(world.owner).delete(f"/api/rasters/{raster.id}")

    assert answer.status_code == 204
    assert not (data / "rasters" / str(raster.id)).exists()
    assert (surveys / "field.tif").exists(), "a registered file is not ours to remove"
    assert kinds_of(raster.id)[-1] == "raster.deleted"
    assert Job.objects.filter(raster_id=raster.id).latest("created_at").state == "cancelled"


def test_a_raster_removed_while_it_is_prepared_does_not_come_back(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif"))
    job = Job.objects.get(raster_id=raster.id)
    real = processes.converted

    def meanwhile(*args: Any) -> None:
        real(*args)
        Raster.objects.filter(id=raster.id).delete()

    monkeypatch.setattr(processes, "converted", meanwhile)
    with pytest.raises(job_services.Stopped):
        jobs.prepare(str(job.id), lambda: False)

    assert not Raster.objects.filter(id=raster.id).exists()


def test_the_progress_of_a_conversion_is_told(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).integers(0, 255, (3, 3000, 3000), dtype=np.uint8)
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif", values, tiled=True))
    told: list[int] = []
    real = job_services.progress
    monkeypatch.setattr(
        job_services, "progress", lambda job_id, **counts: told.append(counts["done"]) or real(job_id, **counts)
    )

    run(raster)

    assert told == sorted(set(told))
    assert told[0] == jobs.INSPECTED
    assert any(jobs.INSPECTED < done < jobs.CONVERTED for done in told)
