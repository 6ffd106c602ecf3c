"""The administrator's page of models: what it lists, installs, verifies and removes, and what it refuses."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.administration import jobs
from backend.encoding import engine
from backend.encoding.models import EncodeWindow
from backend.jobs.models import Job
from backend.jobs.services import Stopped, retry
from backend.projects.models import Project
from backend.rasters.models import Raster
from ml.models import install as installing
from ml.models import installed_models
from ml.models.default import default_name
from ml.models.registry import PUBLISHED
from tests.support import onnx_models
from tests.support.encoding import files
from tests.support.file_server import Served, serving
from tests.support.rasters import body, checks, make_tif, prepared
from tests.support.sam2_models import TINY, random_checkpoint, small_model, with_torch
from tests.support.worlds import World, client_of, make_user, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server with one model that came with it, `first`, and one that was installed, `second`."""
    onnx_models.install(tmp_path / "shipped" / "first")
    onnx_models.install(tmp_path / "data" / "models" / "second", mean=[0.5, 0.5, 0.5])
    settings.DATA_DIR = tmp_path / "data"
    settings.MODEL_DIRS = [tmp_path / "shipped", tmp_path / "data" / "models"]
    settings.MODEL = ""
    monkeypatch.setenv("no_proxy", "*")
    return settings.DATA_DIR


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def admin() -> User:
    user = make_user("adam")
    user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def client(admin: User) -> APIClient:
    return client_of(admin)


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the packages were there."""
    monkeypatch.setattr(installing, "NEEDED", ())


def page(client: APIClient) -> dict[str, Any]:
    answer = client.get("/api/models")
    assert answer.status_code == 200, answer.content
    said: dict[str, Any] = body(answer)
    return said


def named(client: APIClient, name: str) -> dict[str, Any]:
    return next(one for one in page(client)["installed"] if one["name"] == name)


def asked(client: APIClient, **said: Any) -> Job:
    answer = client.post("/api/models", said)
    assert answer.status_code == 201, answer.content
    return Job.objects.get(id=body(answer)["id"])


def worked(job: Job, should_abort: Callable[[], bool] = lambda: False) -> Job:
    """The job done as the worker does it: an error that the user must mend ends it."""
    from backend.core.errors import EdgewiseError
    from backend.jobs.services import finish

    try:
        jobs.work(str(job.id), should_abort)
    except EdgewiseError as error:
        finish(job.id, error={"code": error.code, "message": error.message})
    job.refresh_from_db()
    return job


def choose(world: World, name: str) -> None:
    answer = client_of(world.owner).put(f"/api/projects/{world.project.id}/model", {"name": name})
    assert answer.status_code == 200, answer.content


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, body(answer)["error"]["code"]


def test_the_page_lists_what_is_published_and_what_is_installed(client: APIClient, world: World) -> None:
    choose(world, "second")

    said = page(client)

    assert [(one["name"], one["bytes"], one["sha256"], one["address"]) for one in said["published"]] == [
        (one.name, one.bytes, one.sha256, one.address) for one in PUBLISHED
    ]
    assert {one["licence"] for one in said["published"]} == {"Apache-2.0"}
    first, second = said["installed"]
    assert (first["name"], first["ours"], first["default"], first["by_default"]) == ("first", False, True, 1)
    assert (second["name"], second["ours"], second["default"]) == ("second", True, False)
    assert second["projects"] == [{"id": str(world.project.id), "name": world.project.name}]
    assert second["hash"] == engine.model_named("second").sha256
    assert second["bytes"] == sum(path.stat().st_size for path in (engine.models_home() / "second").iterdir())
    assert (second["encoders"], second["embeddings"], second["verified"]) == (["onnx"], 0, None)
    assert said["default"] == {"name": "first", "from": "first", "error": None}


def test_embeddings_are_counted_by_model_and_those_of_a_model_that_is_gone_too(
    client: APIClient, world: World, data: Path, tmp_path: Path
) -> None:
    _encoded(world, tmp_path)
    size = EncodeWindow.objects.get().nbytes
    first = named(client, "first")
    assert (first["embeddings"], first["embedding_bytes"]) == (1, size)

    shutil.rmtree(tmp_path / "shipped" / "first")

    assert page(client)["orphans"] == [{"hash": first["hash"], "embeddings": 1, "embedding_bytes": size}]


def test_a_broken_model_is_listed_with_what_is_wrong(client: APIClient, data: Path) -> None:
    onnx_models.install(data / "models" / "spoilt", mean=None)

    said = named(client, "spoilt")

    assert (said["hash"], said["embeddings"]) == (None, 0)
    assert "Install it again" in said["error"]


def test_an_unknown_name_is_no_address(client: APIClient, torch: None) -> None:
    for name in ("sam3", "https://example.org/x.pt", "../sam2.1_hiera_tiny"):
        assert refusal(client.post("/api/models", {"name": name})) == (422, "model.unknown")
    assert not Job.objects.exists()


def test_offline_is_said_before_anything_begins(
    client: APIClient, torch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEWISE_OFFLINE", "1")

    answer = client.post("/api/models", {"name": TINY})

    assert refusal(answer) == (409, "model.refused")
    message = body(answer)["error"]["message"]
    assert "EDGEWISE_OFFLINE" in message
    assert "folder `checkpoints`" in message
    assert page(client)["offline"] is True
    assert not Job.objects.exists()


def test_without_torch_it_is_said_before_anything_begins(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "NEEDED", ("torch_that_is_not_there",))

    answer = client.post("/api/models", {"name": TINY})

    assert refusal(answer) == (409, "model.refused")
    assert "EDGEWISE_WITH_TORCH=1" in body(answer)["error"]["message"]
    assert page(client)["missing"] == ["torch_that_is_not_there"]
    assert not Job.objects.exists()


def test_a_full_disk_is_said_before_anything_begins(
    client: APIClient, torch: None, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    usage = shutil.disk_usage(data)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=300_000_000))

    answer = client.post("/api/models", {"name": TINY})

    assert refusal(answer) == (409, "model.refused")
    assert "GB are needed" in body(answer)["error"]["message"]
    assert not Job.objects.exists()


def test_the_same_model_is_not_installed_twice_at_once(client: APIClient, torch: None) -> None:
    asked(client, name=TINY)

    assert refusal(client.post("/api/models", {"name": TINY})) == (409, "model.busy")
    assert Job.objects.count() == 1


@with_torch
def test_a_download_that_breaks_off_is_kept_and_gone_on_with_when_it_is_tried_again(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    size = PUBLISHED[0].bytes
    with serving(Served(bytes(size), cut_after=[3_000_000] + [0] * 9)) as served:
        monkeypatch.setenv("EDGEWISE_MODEL_MIRROR", served.address)
        job = worked(asked(client, name=TINY))
        assert (job.state, job.error["code"]) == ("failed", "model.refused")
        assert "3 MB have come and are kept" in job.error["message"]
        assert job.params["step"] == f"Downloading {TINY}"
        assert (job.total, job.done) == (size // 1000, 3000)
        assert next(one for one in page(client)["published"] if one["name"] == TINY)["downloaded_bytes"] == 3_000_000

        retry(job.id)
        served.asked.clear()
        worked(job)

    assert served.asked[0]["range"] == "bytes=3000000-"
    assert [model.name for model in installed_models([data / "models"])] == ["second"]


@with_torch
def test_a_file_that_is_not_the_published_one_is_thrown_away(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    with serving(Served(b"x" * 1000)) as served:
        monkeypatch.setenv("EDGEWISE_MODEL_MIRROR", served.address)
        job = worked(asked(client, name=TINY))

    assert job.state == "failed"
    assert "the published one has" in job.error["message"]
    assert [model.name for model in installed_models([data / "models"])] == ["second"]


@with_torch
def test_a_cancelled_download_stops_its_process_and_keeps_what_came(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    part = data / "models" / ".downloads" / f"{TINY}.pt.part"
    with serving(Served(bytes(PUBLISHED[0].bytes), cut_after=[3_000_000] + [0] * 9)) as served:
        monkeypatch.setenv("EDGEWISE_MODEL_MIRROR", served.address)
        job = asked(client, name=TINY)
        with pytest.raises(Stopped):
            jobs.work(str(job.id), part.exists)
        heard = len(served.asked)
        time.sleep(2)  # a process that still lived would ask again for the rest

        assert len(served.asked) == heard

    assert part.stat().st_size <= 3_000_000
    assert not (data / "models" / ".aside").exists()


@pytest.mark.parametrize("name", ["../given.pt", "/etc/passwd", "link.pt", "sub/x.pt", ".hidden", "absent.pt"])
def test_only_files_of_the_allowed_folder_are_installed(client: APIClient, torch: None, data: Path, name: str) -> None:
    folder = data / "checkpoints"
    (folder / "sub").mkdir(parents=True)
    for path in (data / "given.pt", folder / ".hidden", folder / "sub" / "x.pt"):
        path.write_bytes(b"x")
    (folder / "link.pt").symlink_to(data / "given.pt")

    assert refusal(client.post("/api/models", {"name": TINY, "checkpoint": name})) == (422, "model.no_checkpoint")
    assert page(client)["checkpoints"] == {"folder": str(folder), "files": []}
    assert not Job.objects.exists()


class Harmful:
    """What a pickle would do when it is loaded."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self.canary,)


@with_torch
@pytest.mark.parametrize(
    ("kind", "message"),
    [("with code in it", "could be code. It was not loaded"), ("not the published one", "is not the published")],
)
def test_a_checkpoint_that_must_not_be_installed_leaves_nothing(
    client: APIClient, data: Path, tmp_path: Path, kind: str, message: str
) -> None:
    import torch

    folder = data / "checkpoints"
    folder.mkdir()
    harmful = kind == "with code in it"
    torch.save({"model": {"w": Harmful(tmp_path / "canary")}}, folder / "bad.pt")

    job = worked(asked(client, name=TINY, checkpoint="bad.pt", own=harmful))

    assert (job.state, job.error["code"]) == ("failed", "model.refused")
    assert message in job.error["message"]
    assert not (tmp_path / "canary").exists()
    assert sorted(path.name for path in (data / "models").iterdir() if path.is_dir()) == ["second"]


@with_torch
@pytest.mark.timeout(900)
def test_a_checkpoint_of_the_folder_is_installed_and_the_default_stays(client: APIClient, data: Path) -> None:
    (data / "checkpoints").mkdir()
    random_checkpoint(data / "checkpoints" / "mine.pt")

    job = worked(asked(client, name=TINY, checkpoint="mine.pt", own=True))

    assert (job.state, job.error) == ("done", None)
    said = named(client, f"{TINY}-own")
    assert (said["architecture"], said["encoders"], said["ours"]) == (TINY, ["onnx", "torch"], True)
    assert said["hash"] == job.params["result"]["hash"]
    assert page(client)["default"] == {"name": "first", "from": "chosen", "error": None}
    assert (data / "checkpoints" / "mine.pt").exists()


@with_torch
@pytest.mark.timeout(900)
def test_verifying_says_pass_or_fail_with_the_figure(client: APIClient, data: Path) -> None:
    small_model(data / "models" / "small")

    job = worked(Job.objects.get(id=body(client.post("/api/models/small/verify"))["id"]))

    assert job.state == "done", job.error
    found = named(client, "small")["verified"]
    assert (found["passed"], found["prompts"]) == (True, 200)
    assert 0 < found["largest"] < found["bound"]
    assert "200 compared" in found["table"]


def test_a_model_without_weights_cannot_be_verified(client: APIClient) -> None:
    job = worked(Job.objects.get(id=body(client.post("/api/models/second/verify"))["id"]))

    assert (job.state, job.error["code"]) == ("failed", "model.refused")
    assert named(client, "second")["verified"] is None


def test_a_model_that_a_project_has_is_removed_only_once_that_has_another(
    client: APIClient, world: World, data: Path
) -> None:
    choose(world, "second")

    answer = client.delete("/api/models/second", {})

    assert refusal(answer) == (409, "model.in_use")
    assert body(answer)["error"]["details"]["projects"][0]["name"] == world.project.name
    assert refusal(client.delete("/api/models/second", {"move_to": "second"})) == (422, "model.unknown")
    assert refusal(client.delete("/api/models/second", {"move_to": "absent"})) == (422, "model.unknown")
    assert Project.objects.get(id=world.project.id).model == "second"
    assert (data / "models" / "second").is_dir()

    assert client.delete("/api/models/second", {"move_to": ""}).status_code == 204

    assert Project.objects.get(id=world.project.id).model == ""
    assert [one["name"] for one in page(client)["installed"]] == ["first"]


def test_projects_are_not_moved_when_the_removal_fails(
    client: APIClient, world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(world, "second")

    def fail(*_: Any) -> None:
        raise installing.ModelError("Another command is at work.")

    monkeypatch.setattr("backend.administration.services.remove_folder", fail)

    assert refusal(client.delete("/api/models/second", {"move_to": ""})) == (409, "model.refused")
    assert Project.objects.get(id=world.project.id).model == "second"


def test_the_default_and_what_came_with_the_server_are_not_removed(client: APIClient, world: World) -> None:
    assert refusal(client.delete("/api/models/first", {})) == (409, "model.is_default")
    client.post("/api/models/second/default")
    assert refusal(client.delete("/api/models/second", {})) == (409, "model.is_default")
    assert refusal(client.delete("/api/models/first", {})) == (409, "model.refused")
    assert refusal(client.delete("/api/models/..", {})) in {(409, "model.refused"), (404, "request.not_found")}

    assert [one["name"] for one in page(client)["installed"]] == ["first", "second"]


def test_another_default_encodes_anew_for_those_that_chose_none(
    client: APIClient, world: World, data: Path, tmp_path: Path
) -> None:
    _encoded(world, tmp_path)

    assert client.post("/api/models/second/default").status_code == 200

    assert default_name(data / "models") == "second"
    assert page(client)["default"] == {"name": "second", "from": "chosen", "error": None}
    assert Job.objects.get(kind="encode", params__again=True).project_id == world.project.id


def test_the_environments_default_is_not_overruled(client: APIClient, settings: Any, data: Path) -> None:
    settings.MODEL = "first"

    assert refusal(client.post("/api/models/second/default")) == (409, "model.by_environment")
    assert default_name(data / "models") == ""


def test_embeddings_of_a_model_that_no_project_has_are_cleared_and_others_stay(
    client: APIClient, world: World, data: Path, tmp_path: Path
) -> None:
    raster = _encoded(world, tmp_path)
    first = engine.default_model().sha256
    assert refusal(client.delete(f"/api/embeddings/{first}")) == (409, "model.in_use")
    assert refusal(client.delete(f"/api/embeddings/{'0' * 64}")) == (422, "model.unknown")

    choose(world, "second")
    client.post("/api/models/second/default")
    _encoded_by(raster, "second")
    answer = client.delete(f"/api/embeddings/{first}")
    job = worked(Job.objects.get(id=body(answer)["id"]))

    assert (answer.status_code, job.state, job.done) == (202, "done", 1)
    assert EncodeWindow.objects.get().model_hash == engine.model_named("second").sha256
    assert len(files(data)) == 1


def _encoded(world: World, folder: Path) -> Raster:
    raster = prepared(world.project, world.owner, make_tif(folder / "field.tif", checks(1024, 1024)))
    _encoded_by(raster, "first")
    return raster


def _encoded_by(raster: Raster, name: str) -> None:
    from backend.encoding.services import encode_window
    from ml.windows import Window

    assert encode_window(raster, Window(0, 0), engine.model_named(name)) == "ready"
