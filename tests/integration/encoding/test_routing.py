"""Work goes to workers with a graphics card while one lives, and comes back when none does; never twice, never lost."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from backend.core.clock import now
from backend.encoding import ability
from backend.encoding import services as encoding
from backend.jobs import routing, running, services
from backend.jobs.models import Job, WorkerBeat
from backend.jobs.selectors import workers_json
from backend.rasters.models import Raster
from ml.windows import Window
from tests.support.encoding import PLANNED, rows, run, started
from tests.support.rasters import body
from tests.support.worlds import World, client_of

pytestmark = pytest.mark.django_db

CARD = {"encoder": "torch-cuda", "card": "A card", "memory_mb": 24_000, "models": ["constant"], "why": ""}


def appears(name: str = "gpu:1", models: tuple[str, ...] = ("constant",), ago: float = 0) -> None:
    services.beat(name, ["bulk", "urgent"], {**CARD, "card_models": list(models)})
    WorkerBeat.objects.filter(name=name).update(seen_at=now() - timedelta(seconds=ago))


def queue(job: Job) -> str:
    return in_queue(job.engine_job_id)


def in_queue(number: int | None) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue_name FROM procrastinate_jobs WHERE id = %s", [number])
        return str(cursor.fetchone()[0])


def urgent_queues() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue_name FROM procrastinate_jobs WHERE task_name = 'encoding.urgent' ORDER BY id")
        return [str(name) for (name,) in cursor.fetchall()]


def pass_time(seconds: float) -> None:
    """Makes all that happened to queued jobs so much older."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = at - make_interval(secs => %s)", [seconds])


def test_without_a_card_every_worker_may_take_a_raster(world: World, raster: Raster) -> None:
    services.beat("cpu:1", ["bulk", "urgent", "files"], {**CARD, "encoder": "onnx", "card": "", "card_models": []})

    assert queue(started(world, raster)) == "encode"


def test_a_raster_goes_to_the_worker_with_a_card(world: World, raster: Raster) -> None:
    appears()

    assert queue(started(world, raster)) == "encode.card"


@pytest.mark.parametrize(("models", "ago"), [(("another",), 0), ((), 0), (("constant",), routing.AWAY_SECONDS + 1)])
def test_a_card_that_cannot_run_the_model_or_is_away_gets_nothing(
    world: World, raster: Raster, models: tuple[str, ...], ago: float
) -> None:
    appears(models=models, ago=ago)

    assert queue(started(world, raster)) == "encode"


def test_only_workers_with_a_card_take_from_its_queues() -> None:
    assert routing.queues_of(("encode",), card=True) == ["encode", "encode.card"]
    assert routing.queues_of(("encode",), card=False) == ["encode"]
    assert routing.queues_of(("prepare", "exchange"), card=True) == ["prepare", "exchange"]


def test_what_waits_for_a_card_that_dies_is_taken_over_and_given_back_when_one_comes(
    world: World, raster: Raster
) -> None:
    appears()
    job = started(world, raster)
    assert routing.reroute() == 0

    appears(ago=routing.AWAY_SECONDS + 1)
    assert routing.reroute() == 1
    assert queue(job) == "encode"

    appears("gpu:2")
    assert routing.reroute() == 1
    assert queue(job) == "encode.card"

    services.leave("gpu:2")  # it was told to stop
    assert routing.reroute() == 1
    assert queue(job) == "encode"


def test_a_job_under_way_is_not_moved_under_its_worker(world: World, raster: Raster) -> None:
    appears()
    job = started(world, raster)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [job.engine_job_id])
    services.leave("gpu:1")

    assert routing.reroute() == 0
    assert queue(job) == "encode.card"


def test_clicks_go_to_the_card_while_it_is_free_and_else_to_all(world: World, raster: Raster) -> None:
    appears()

    encoding.request_urgent(raster, Window(0, 0))
    encoding.request_urgent(raster, Window(64, 0))
    assert urgent_queues() == ["urgent.card", "urgent"]

    appears("gpu:2")
    encoding.request_urgent(raster, Window(128, 0))
    assert urgent_queues() == ["urgent.card", "urgent", "urgent.card"]


def test_a_click_that_waits_for_a_card_for_three_seconds_goes_to_all(world: World, raster: Raster) -> None:
    appears()
    encoding.request_urgent(raster, Window(0, 0))

    pass_time(2)
    assert routing.rescue_urgent() == 0
    pass_time(2)
    assert routing.rescue_urgent() == 1
    assert urgent_queues() == ["urgent"]


def test_a_raster_under_way_on_a_processor_goes_on_at_a_card_that_comes_and_no_window_is_encoded_twice(
    world: World, raster: Raster, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.encoding.jobs.LOOK_SECONDS", -1.0)
    job = started(world, raster)

    def card_comes_after_two() -> bool:
        if len(encoded) == 2:
            appears()
        return False

    with pytest.raises(services.Moved):
        run(job, card_comes_after_two)
    done = len(encoded)
    assert 2 <= done < 6
    assert rows(raster) == dict.fromkeys(PLANNED[:done], "ready")
    job.refresh_from_db()
    assert (job.state, job.done) == ("running", done)

    monkeypatch.setattr(ability, "here", lambda: replace(ability.look("onnx", []), card="A card"))
    run(job)

    assert (job.state, job.done, len(encoded)) == ("done", 6, 6)


def test_a_moved_job_is_tried_again_at_once_in_the_queue_of_the_card() -> None:
    from procrastinate.jobs import Job as EngineJob

    job = EngineJob(id=1, queue="encode", lock=None, queueing_lock=None, task_name="encoding.run")

    decision = running.Patience(3).get_retry_decision(exception=running.JobMoved(), job=job)

    assert decision is not None
    assert decision.queue == "encode.card"
    assert decision.retry_at is not None


def test_retrying_an_ended_job_asks_anew_where_it_goes(world: World, raster: Raster) -> None:
    job = started(world, raster)
    client_of(world.owner).post(f"/api/jobs/{job.id}/cancel")
    appears()

    client_of(world.owner).post(f"/api/jobs/{job.id}/retry")

    job.refresh_from_db()
    assert queue(job) == "encode.card"


def test_administrators_see_the_workers_with_what_they_can(world: World) -> None:
    appears()
    appears("gpu:0", ago=routing.AWAY_SECONDS + 1)
    services.beat("files:1", ["files"])
    world.owner.is_staff = True
    world.owner.save()

    said = body(client_of(world.owner).get("/api/workers"))["workers"]

    assert [(one["name"], one["alive"]) for one in said] == [("files:1", True), ("gpu:1", True), ("gpu:0", False)]
    assert said[1]["can"] == {**CARD, "card_models": ["constant"]}
    assert said[0]["can"] is None
    assert client_of(world.annotator).get("/api/workers").status_code == 403


def test_a_worker_that_is_long_gone_is_forgotten() -> None:
    appears("gpu:old", ago=2 * 24 * 3600)

    services.beat("cpu:1", ["files"])

    assert [one["name"] for one in workers_json()] == ["cpu:1"]


def test_a_processor_says_what_it_can(settings: Any) -> None:
    settings.ENCODER = "onnx"
    ability._chosen.cache_clear()

    said = ability.said()

    assert (said["encoder"], said["card"], said["models"], said["card_models"]) == ("onnx", "", ("constant",), ())
    assert said["memory_mb"] > 500


@pytest.fixture
def afresh() -> Any:
    ability._chosen.cache_clear()
    yield
    ability._chosen.cache_clear()


def with_card(monkeypatch: pytest.MonkeyPatch, opened: Callable[..., Any]) -> None:
    """A machine that seems to have a card for ONNX Runtime."""
    monkeypatch.setattr("ml.encode.choice._has_card_runtime", lambda: True)
    monkeypatch.setattr("ml.encode.choice._card", lambda _: ("A card", 24_000 * 2**20))
    monkeypatch.setattr(ability, "open_encoder", opened)


@pytest.mark.usefixtures("afresh")
def test_a_card_is_tried_before_work_is_meant_for_it(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ENCODER = "onnx-cuda"
    seen: list[Any] = []

    class Tried:
        def encode(self, pixels: Any) -> None:
            seen.append(pixels.shape)

    with_card(monkeypatch, lambda *_, **__: Tried())

    said = ability.said()

    assert (said["encoder"], said["card"], said["card_models"]) == ("onnx-cuda", "A card", ("constant",))
    assert seen == [(1024, 1024, 3)]


@pytest.mark.usefixtures("afresh")
def test_a_card_that_fails_when_tried_leaves_the_processor_and_says_why(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ENCODER = "onnx-cuda"

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("CUDA error: out of memory\nand more")

    with_card(monkeypatch, broken)

    said = ability.said()

    assert (said["encoder"], said["card"], said["card_models"]) == ("onnx", "", ())
    assert said["why"] == "The graphics card A card was tried and failed: CUDA error: out of memory"
