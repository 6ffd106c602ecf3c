"""What an encode job refuses, windows that are clicked ahead of it, and what the project hears of it."""

from pathlib import Path
from typing import Any

import pytest

from backend.config.jobs import JOBS
from backend.core.errors import Invalid
from backend.encoding import engine, jobs, services
from backend.encoding.models import EncodeWindow
from backend.encoding.selectors import state_of
from backend.jobs.models import Job
from backend.rasters.models import Raster
from ml.windows import Window
from tests.support.encoding import PLANNED, READY, files, get, rows, run, start, started
from tests.support.onnx_models import install
from tests.support.rasters import body
from tests.support.worlds import World, client_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("stride", [0, -1, 255, 1025, "many", None, 1.5, [896], {"a": 1}, "9" * 5000])
def test_a_stride_that_makes_no_sense_is_refused(world: World, raster: Raster, stride: Any) -> None:
    answer = start(world, raster, stride=stride)

    assert (answer.status_code, body(answer)["error"]["code"]) == (422, "encode.invalid_stride")
    assert not Job.objects.filter(kind="encode").exists()


def test_a_raster_that_is_not_prepared_cannot_be_encoded(world: World, raster: Raster) -> None:
    Raster.objects.update(state=Raster.State.PREPARING)

    for answer in (start(world, raster), client_of(world.owner).get(f"/api/rasters/{raster.id}/windows")):
        assert (answer.status_code, body(answer)["error"]["code"]) == (409, "encode.not_viewable")
    assert not Job.objects.filter(kind="encode").exists()


def test_without_a_model_the_message_says_where_to_put_one(world: World, raster: Raster, settings: Any) -> None:
    settings.MODEL_DIRS = []

    answer = start(world, raster)

    assert (answer.status_code, body(answer)["error"]["code"]) == (503, "model.not_installed")
    assert "EDGEWISE_MODEL_DIRS" in body(answer)["error"]["message"]
    assert get(world, f"/api/rasters/{raster.id}")["encode"] is None


def test_another_model_means_other_windows(world: World, raster: Raster, settings: Any, tmp_path: Path) -> None:
    run(started(world, raster))
    install(tmp_path / "models" / "another", mean=[0.5, 0.5, 0.5])
    settings.MODEL = "another"

    said = get(world, f"/api/rasters/{raster.id}")["encode"]

    assert said == {"planned": 6, "ready": 0, "failed": 0, "skipped": 0, "model": "another"}


def test_a_window_that_was_clicked_is_encoded_alone_and_asking_twice_is_harmless(
    raster: Raster, encoded: list[int]
) -> None:
    between = Window(448, 64)  # made for prompts that no planned window holds together

    for _ in range(2):
        jobs.urgent(str(raster.id), between.col, between.row, between.size)

    assert rows(raster) == {between: "ready"}
    assert len(encoded) == 1


@pytest.mark.parametrize(
    "window", [Window(0, 0, 512), Window(0, 0, 4096), Window(-896, 0), Window(977, 0), Window(5, 0, 2048)]
)
def test_a_window_that_no_click_leads_to_is_refused_before_and_behind_the_queue(
    raster: Raster, encoded: list[int], monkeypatch: pytest.MonkeyPatch, window: Window
) -> None:
    put: list[Any] = []
    monkeypatch.setattr("backend.jobs.engine.defer", lambda *args, **how: put.append(args))

    with pytest.raises(Invalid, match="no such window"):
        services.request_urgent(raster, window)
    with pytest.raises(Invalid, match="no such window"):
        jobs.urgent(str(raster.id), window.col, window.row, window.size)

    assert (put, encoded, rows(raster)) == ([], [], {})


def test_a_larger_window_is_encoded_decimated_and_does_not_count_as_a_planned_one(
    world: World, raster: Raster, encoded: list[int]
) -> None:
    jobs.urgent(str(raster.id), 0, 0, 2048)

    assert rows(raster) == {Window(0, 0, 2048): "ready"}
    assert encoded == [1000], "px wide: half of the raster's"
    assert get(world, f"/api/rasters/{raster.id}")["encode"]["ready"] == 0
    listed = get(world, f"/api/rasters/{raster.id}/windows")["windows"]
    assert [window["state"] for window in listed] == ["planned"] * 6


def test_a_clicked_window_goes_ahead_of_the_queue(
    world: World, raster: Raster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its own queue, which a whole raster never holds up, and the highest priority."""
    put: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr("backend.jobs.engine.defer", lambda name, args, **how: put.append((name, how)) or 1)

    services.start(raster, 896, actor=world.owner)
    services.request_urgent(raster, PLANNED[5])

    assert [name for name, _ in put] == ["encoding.run", "encoding.urgent"]
    assert put[1][1]["priority"] > put[0][1]["priority"]
    assert JOBS["encoding.urgent"].queue != JOBS["encoding.run"].queue


def test_an_urgent_window_of_a_removed_raster_is_no_error(world: World, raster: Raster, data: Path) -> None:
    raster_id = str(raster.id)
    Raster.objects.filter(id=raster.id).delete()

    jobs.urgent(raster_id, 0, 0, 1024)

    assert not EncodeWindow.objects.exists()


def test_windows_made_for_clicks_do_not_count_as_planned_ones(world: World, raster: Raster) -> None:
    run(started(world, raster))
    jobs.urgent(str(raster.id), 448, 64, 1024)

    assert get(world, f"/api/rasters/{raster.id}")["encode"]["ready"] == 6
    assert len(get(world, f"/api/rasters/{raster.id}/windows")["windows"]) == 7


def test_a_window_whose_file_is_lost_is_encoded_again(raster: Raster, data: Path, encoded: list[int]) -> None:
    services.encode_window(raster, PLANNED[0], engine.default_model())
    files(data)[0].unlink()

    assert services.encode_window(raster, PLANNED[0], engine.default_model()) == READY

    assert len(encoded) == 2
    assert len(files(data)) == 1


def test_a_forgotten_window_has_neither_file_nor_row(raster: Raster, data: Path) -> None:
    services.encode_window(raster, PLANNED[0], engine.default_model())

    services.forget_window(raster, PLANNED[0], engine.default_model())

    assert files(data) == []
    assert state_of(raster, engine.default_model(), PLANNED[0]) is None


def test_progress_and_windows_are_told_to_the_project(
    world: World, raster: Raster, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("backend.events.services.hint", lambda project, message: told.append(message))

    run(started(world, raster))

    windows = [message for message in told if message["type"] == "window"]
    progress = [message["job"] for message in told if message["type"] == "job"]
    assert [message["state"] for message in windows] == ["ready"] * 6
    assert windows[0]["window"] == {"col": 0, "row": 0, "size": 1024}
    assert [job["done"] for job in progress][-1] == 6
    assert progress[-1]["state"] == "done"
    assert {job["done"] for job in progress} == set(range(7))


def test_who_asked_for_a_job_may_stop_it_and_others_below_an_owner_may_not(world: World, raster: Raster) -> None:
    job = started(world, raster)

    refused = client_of(world.reviewer).post(f"/api/jobs/{job.id}/cancel")
    assert (refused.status_code, body(refused)["error"]["code"]) == (403, "auth.forbidden")
    assert Job.objects.get(id=job.id).state == "queued"

    Job.objects.filter(id=job.id).update(created_by=world.reviewer)
    assert client_of(world.reviewer).post(f"/api/jobs/{job.id}/cancel").status_code == 200
    assert Job.objects.get(id=job.id).state == "cancelled"


def test_the_projects_jobs_are_listed_newest_first(world: World, raster: Raster) -> None:
    job = started(world, raster)

    listed = get(world, f"/api/projects/{world.project.id}/jobs")["jobs"]

    assert [entry["kind"] for entry in listed] == ["encode", "prepare"]
    assert listed[0]["id"] == str(job.id)
    assert set(listed[0]) == {
        *("id", "kind", "project", "raster", "state", "total", "done", "failed", "skipped"),
        *("started_at", "eta_seconds", "error", "created_by", "created_at"),
    }
