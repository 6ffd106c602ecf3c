"""A project's model: who may change it, what the change encodes anew, and which model answers meanwhile."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Unavailable
from backend.encoding import engine, jobs
from backend.encoding.models import EncodeWindow
from backend.events.models import Event
from backend.jobs.models import Job
from backend.jobs.services import Stopped
from backend.projects.models import Project
from backend.rasters.models import Raster
from backend.segmentation import remembered
from backend.segmentation import services as segmentation
from backend.segmentation.services import NotEncodedError, Prompts, Suggestion, suggest
from ml.embeddings.forms import DEFAULT
from ml.models import InstalledModel
from tests.support.encoding import PLANNED, after, get, run, started
from tests.support.onnx_models import install
from tests.support.rasters import body, lonlat_of
from tests.support.worlds import World, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def other(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstalledModel:
    """A second model beside `constant`, of another hash; nothing is remembered from click to click."""
    install(tmp_path / "models" / "other", mean=[0.5, 0.5, 0.5])
    monkeypatch.setattr(remembered, "SECONDS", 0.0)
    return engine.model_named("other")


def choose(world: World, name: Any, user: Any = None) -> Any:
    return client_of(user or world.owner).put(f"/api/projects/{world.project.id}/model", {"name": name})


def click(raster: Raster, col: int, row: int) -> Suggestion:
    return suggest(raster, Prompts(((*lonlat_of(raster, col, row), 1),)))


def again() -> Job:
    return Job.objects.get(kind="encode", params__again=True)


def test_the_choices_say_what_each_would_cost(world: World, raster: Raster) -> None:
    run(started(world, raster))

    said = get(world, f"/api/projects/{world.project.id}/model")

    assert (said["chosen"], said["default"], said["model"]["name"]) == ("", "constant", "constant")
    assert (said["error"], said["encoded"]) == (None, 6)
    assert [(one["name"], one["ready"]) for one in said["models"]] == [("constant", 6), ("other", 0)]
    assert [one["megabytes"] for one in said["models"]] == [0, round(6 * DEFAULT.usual_bytes / 1e6, 1)]
    assert said["models"][0]["minutes"] == 0
    assert said["models"][1]["minutes"] == 0.3


def test_a_change_is_one_event_and_encodes_anew_what_was_encoded(
    world: World, raster: Raster, other: InstalledModel
) -> None:
    jobs.urgent(str(raster.id), 448, 64, 1024)
    with pytest.raises(Stopped):
        run(started(world, raster), after(2))
    before = EncodeWindow.objects.count()
    Job.objects.update(state=Job.State.DONE)

    answer = choose(world, "other")

    assert (answer.status_code, body(answer)["chosen"]) == (200, "other")
    assert get(world, f"/api/projects/{world.project.id}")["model"] == "other"
    event = Event.objects.filter(project_id=world.project.id).latest("seq")
    assert (event.kind, event.data["project"]["model"]) == ("project.changed", "other")
    assert again().total == before == 3

    done = run(again())

    assert (done.state, done.total, done.done) == ("done", 3, 3)
    assert set(EncodeWindow.objects.filter(model_hash=other.sha256).values_list("col", "row")) == {
        (448, 64),
        *((window.col, window.row) for window in PLANNED[:2]),
    }
    assert EncodeWindow.objects.count() == 6, "the old embeddings stay"


def test_the_old_model_answers_until_a_window_is_encoded_by_the_new_one(world: World, raster: Raster) -> None:
    run(started(world, raster))
    choose(world, "other")

    meanwhile = click(raster, 300, 300)

    assert (meanwhile.model, meanwhile.instead_of) == ("constant", "other")
    assert meanwhile.candidates

    with pytest.raises(Stopped):
        run(again(), after(1))
    near, far = click(raster, 300, 300), click(raster, 1700, 300)
    assert (near.model, near.instead_of) == ("other", "")
    assert (far.model, far.instead_of) == ("constant", "other")

    run(again())
    assert {click(raster, *at).model for at in [(300, 300), (1700, 300), (1700, 1000)]} == {"other"}


def test_what_no_model_has_encoded_is_encoded_by_the_new_one(
    world: World, raster: Raster, other: InstalledModel
) -> None:
    choose(world, "other")

    with pytest.raises(NotEncodedError) as missing:
        click(raster, 300, 300)
    window = missing.value.window
    jobs.urgent(str(raster.id), window.col, window.row, window.size)

    assert list(EncodeWindow.objects.values_list("model_hash", flat=True)) == [other.sha256]
    assert click(raster, 300, 300).model == "other"


def test_logits_of_the_old_model_are_not_fed_to_the_new_one(
    world: World, raster: Raster, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(started(world, raster))
    first = click(raster, 300, 300)
    fed: list[bool] = []
    decode = segmentation.OnnxDecoder.decode
    monkeypatch.setattr(
        segmentation.OnnxDecoder,
        "decode",
        lambda self, embedding, asked, logits, field: (
            fed.append(logits is not None) or decode(self, embedding, asked, logits, field)
        ),
    )
    prompts = Prompts(((*lonlat_of(raster, 300, 300), 1),))

    suggest(raster, prompts, first.memory)
    assert fed[0]
    assert not any(fed[1:])  # neighbours into which the object was followed are asked without
    fed.clear()
    choose(world, "other")
    run(again())
    suggest(raster, prompts, first.memory)

    assert fed
    assert not any(fed)


def test_an_encode_job_under_way_goes_over_to_the_new_model(
    world: World, raster: Raster, other: InstalledModel
) -> None:
    job = started(world, raster)
    Job.objects.filter(id=job.id).update(state=Job.State.RUNNING)
    changes = iter([False, False])

    def changing() -> bool:
        if next(changes, None) is None and not Project.objects.filter(id=world.project.id, model="other").exists():
            choose(world, "other")
        return False

    done = run(job, changing)

    assert (done.state, done.done) == ("done", 6)
    assert EncodeWindow.objects.filter(model_hash=other.sha256, state="ready").count() == 6
    assert not Job.objects.filter(params__again=True).exists()


def test_going_back_encodes_nothing(world: World, raster: Raster) -> None:
    run(started(world, raster))
    choose(world, "other")
    run(again())
    Job.objects.all().delete()

    assert choose(world, "constant").status_code == 200

    assert not Job.objects.exists()
    assert click(raster, 300, 300).model == "constant"


def test_a_model_that_is_not_installed_cannot_be_chosen(world: World, raster: Raster) -> None:
    run(started(world, raster))
    events = Event.objects.count()

    for name in ("absent", None, 7):
        answer = choose(world, name)
        assert (answer.status_code, body(answer)["error"]["code"]) == (422, "model.unknown")

    assert Project.objects.get(id=world.project.id).model == ""
    assert (Event.objects.count(), Job.objects.filter(params__again=True).count()) == (events, 0)


@pytest.mark.parametrize("who", ["viewer", "annotator", "reviewer"])
def test_only_owners_change_the_model(world: World, raster: Raster, who: str) -> None:
    answer = choose(world, "other", getattr(world, who))

    assert (answer.status_code, body(answer)["error"]["code"]) == (403, "auth.forbidden")
    assert Project.objects.get(id=world.project.id).model == ""


@pytest.mark.parametrize("fault", ["removed", "damaged"])
def test_a_model_that_cannot_be_used_any_more_is_said_and_another_can_be_chosen(
    world: World, raster: Raster, tmp_path: Path, fault: str
) -> None:
    choose(world, "other")
    folder = tmp_path / "models" / "other"
    if fault == "removed":
        folder.rename(tmp_path / "gone")
    else:
        manifest = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps({**manifest, "std": [0, 0, 0]}))

    with pytest.raises(Unavailable, match=r"other, cannot be used.*owner.*administrator") as refused:
        click(raster, 300, 300)
    assert refused.value.code == "model.not_installed"

    said = get(world, f"/api/projects/{world.project.id}/model")
    assert (said["chosen"], said["model"]) == ("other", None)
    assert "cannot be used" in said["error"]
    assert [one["name"] for one in said["models"]] == ["constant"]
    assert get(world, f"/api/rasters/{raster.id}")["encode"] is None

    assert choose(world, "").status_code == 200
    with pytest.raises(NotEncodedError):
        click(raster, 300, 300)


def test_each_project_is_counted_by_its_own_model(world: World, raster: Raster) -> None:
    run(started(world, raster))
    choose(world, "other")

    said = get(world, f"/api/rasters/{raster.id}")["encode"]

    assert (said["model"], said["planned"], said["ready"]) == ("other", 6, 0)
    assert {one["state"] for one in get(world, f"/api/rasters/{raster.id}/windows")["windows"]} == {"planned"}
