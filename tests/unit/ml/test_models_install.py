"""Installing, exporting and removing models: whole and tried, or not at all."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.config import settings
from ml.models import InstalledModel, ModelError, install, installed_models, load_model, places
from ml.models.install import Source, export, remove
from ml.models.registry import PUBLISHED, published
from tests.support import onnx_models
from tests.support.sam2_models import TINY, publish, random_checkpoint, state_of, with_torch

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_checkpoint(tmp_path_factory.mktemp("given") / "given.pt")


def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    env = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", "ml", "models", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def models_in(folder: Path) -> list[str]:
    """All that could be taken for a model or is left over, whatever its name."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


@with_torch
@pytest.mark.timeout(600)
def test_a_published_model_is_downloaded_converted_tried_and_there(tiny: InstalledModel) -> None:
    folder = tiny.encoder.path.parent
    said = json.loads((folder / "model.json").read_text())

    assert tiny.name == TINY
    assert models_in(folder.parent) == [".downloads", TINY]
    assert list((folder.parent / ".downloads").iterdir()) == []
    assert sorted(path.name for path in folder.iterdir()) == [
        "decoder.onnx",
        "decoder_int8.onnx",
        "encoder.onnx",
        "mask.onnx",
        "memory_attention.onnx",
        "memory_encoder.onnx",
        "model.json",
        "prepare.onnx",
        "weights.safetensors",
    ]
    given = (folder.parents[1] / "given.pt").read_bytes()
    assert said["source"]["sha256"] == hashlib.sha256(given).hexdigest()
    assert said["source"]["address"] == published(TINY).address
    assert installed_models([folder.parent]) == [tiny]
    for path in folder.iterdir():  # nothing tells where it was made
        assert str(folder.parent).encode() not in path.read_bytes()


@with_torch
@pytest.mark.timeout(600)
def test_the_installed_weights_are_the_checkpoints(tiny: InstalledModel) -> None:
    import torch

    from ml.export.weights import load_installed

    given = state_of(tiny.encoder.path.parents[2] / "given.pt")
    loaded = load_installed(tiny).state_dict()

    assert loaded.keys() == given.keys()
    assert all(torch.equal(loaded[name], given[name]) for name in given)


@with_torch
@pytest.mark.timeout(600)
def test_weights_that_changed_since_are_refused(tiny: InstalledModel, tmp_path: Path) -> None:
    from ml.export.weights import load_installed

    folder = shutil.copytree(tiny.encoder.path.parent, tmp_path / "m")
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(content)

    with pytest.raises(ModelError, match="damaged"):
        load_installed(load_model(folder))


class Harmful:
    """What a pickle would do when it is loaded."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self.canary,)


def spoilt(kind: str, path: Path, whole: Path, canary: Path) -> Path:
    """A checkpoint that must not be installed."""
    import torch

    if kind == "with code in it":
        torch.save({"model": {"w": Harmful(canary)}}, path)
    elif kind == "cut short":
        path.write_bytes(whole.read_bytes()[:60_000_000])
    elif kind == "of another size":
        random_checkpoint(path, "sam2.1_hiera_small")
    elif kind == "of SAM 2.0":
        state = state_of(whole)
        for name in ("no_obj_embed_spatial", "obj_ptr_tpos_proj.weight", "obj_ptr_tpos_proj.bias"):
            del state[name]
        torch.save({"model": state}, path)
    elif kind == "of no SAM":
        torch.save({"model": {"layer.weight": torch.zeros(3)}}, path)
    elif kind == "with a weight too few":
        state = state_of(whole)
        del state["sam_mask_decoder.conv_s0.bias"]
        torch.save({"model": state}, path)
    elif kind == "with a weight too many":
        torch.save({"model": {**state_of(whole), "extra": torch.zeros(1)}}, path)
    elif kind == "with a misshapen weight":
        torch.save({"model": {**state_of(whole), "sam_mask_decoder.conv_s0.bias": torch.zeros(7)}}, path)
    elif kind == "with no number":
        torch.save({"model": {**state_of(whole), "sam_mask_decoder.conv_s0.bias": torch.full((32,), torch.nan)}}, path)
    elif kind == "without the entry":
        torch.save(state_of(whole), path)
    elif kind == "of text":
        path.write_text("<html>not found</html>")
    return path


@with_torch
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("with code in it", "could be code. It was not loaded"),
        ("cut short", "cut short, damaged, or not a checkpoint. Download it again"),
        ("of another size", r"is sam2\.1_hiera_small, not sam2\.1_hiera_tiny"),
        ("of SAM 2.0", r"SAM 2\.0 checkpoint"),
        ("of no SAM", "another kind of model"),
        ("with a weight too few", r"lacks sam_mask_decoder\.conv_s0\.bias"),
        ("with a weight too many", "has, beyond the model, extra"),
        ("with a misshapen weight", "has in another shape"),
        ("with no number", "numbers that are none"),
        ("without the entry", "no weights under 'model'"),
        ("of text", "is not a checkpoint. Download it again"),
        ("absent", "There is no file"),
    ],
)
def test_a_checkpoint_that_is_not_the_models_installs_nothing(
    tmp_path: Path, checkpoint: Path, kind: str, message: str
) -> None:
    given = spoilt(kind, tmp_path / "bad.pt", checkpoint, tmp_path / "canary")
    folder = tmp_path / "models"

    with pytest.raises(ModelError, match=message):
        install.install(TINY, folder, Source(checkpoint=given, own=True))

    assert models_in(folder) == []
    assert not (tmp_path / "canary").exists()


@with_torch
def test_the_harmful_checkpoint_is_one(tmp_path: Path) -> None:
    """Loaded without care it does what it says; so the test above can fail."""
    import torch

    canary = tmp_path / "canary"
    torch.save({"model": Harmful(canary)}, tmp_path / "bad.pt")
    program = "import sys, torch; torch.load(sys.argv[1], weights_only=False)"
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "bad.pt")], check=True)

    assert canary.exists()


@with_torch
def test_other_weights_never_pass_for_the_published_ones(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(ModelError, match=r"not the published sam2\.1_hiera_tiny\.pt.*add --own"):
        install.install(TINY, tmp_path / "models", Source(checkpoint=checkpoint))

    assert models_in(tmp_path / "models") == []
    assert checkpoint.exists()


@with_torch
def test_an_export_that_answers_otherwise_is_not_installed(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml.export import differences, parity
    from ml.export import folder as exporting

    def write(_: Any, folder: Path, card: exporting.Card, tell: Any, **__: Any) -> None:
        onnx_models.install(folder, name=card.name)

    different = differences.Parity("x", [differences.Difference("logits", 0.5, 0.1, 1)])
    monkeypatch.setattr(exporting, "write_folder", write)
    monkeypatch.setattr(parity, "compare", lambda *_, **__: different)

    with pytest.raises(ModelError, match=r"does not answer as its checkpoint does[\s\S]*FAIL"):
        install.install(TINY, tmp_path / "models", Source(checkpoint=checkpoint, own=True))

    assert models_in(tmp_path / "models") == []


@with_torch
def test_an_installed_model_is_not_written_over(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, checkpoint)
    onnx_models.install(tmp_path / TINY)
    before = load_model(tmp_path / TINY)

    with pytest.raises(ModelError, match=r"is installed in .* Remove it first"):
        install.install(TINY, tmp_path, Source(checkpoint=checkpoint))

    assert load_model(tmp_path / TINY) == before


@with_torch
def test_two_commands_do_not_install_into_one_folder(tmp_path: Path, checkpoint: Path) -> None:
    with (tmp_path / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="Another command is at work"):
            install.install(TINY, tmp_path, Source(checkpoint=checkpoint, own=True))

    assert models_in(tmp_path) == []


@with_torch
def test_a_disk_without_room_is_said_before_anything_is_done(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=300_000_000))

    with pytest.raises(ModelError, match="GB are needed"):
        install.install(TINY, tmp_path / "models", Source(checkpoint=checkpoint, own=True))

    assert models_in(tmp_path / "models") == []


def test_without_torch_the_message_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "NEEDED", ("torch_that_is_not_there",))

    with pytest.raises(ModelError, match=r"needs torch_that_is_not_there.*EDGEWISE_WITH_TORCH=1.*export NAME --to"):
        install.install(TINY, tmp_path, Source())

    assert models_in(tmp_path) == []


def test_a_model_is_removed_and_only_from_its_folder(tmp_path: Path) -> None:
    onnx_models.install(tmp_path / "models" / "one")
    onnx_models.install(tmp_path / "two")

    for name in ("two", "../two", "absent", ".", ""):
        with pytest.raises(ModelError, match="No model named"):
            remove(name, tmp_path / "models")
    remove("one", tmp_path / "models")

    assert models_in(tmp_path / "models") == []
    assert load_model(tmp_path / "two").name == "two"


def test_a_model_without_weights_cannot_be_exported_again(tmp_path: Path) -> None:
    model = load_model(onnx_models.install(tmp_path / "m"))

    with pytest.raises(ModelError, match=r"installed without its weights|needs"):
        export(model, tmp_path / "to")


def test_the_commands_look_where_the_server_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert places.folders({}) == [ROOT / "var" / "data" / "models", ROOT / "fixtures" / "models"]
    assert places.folders({"EDGEWISE_MODEL_DIRS": "/a, /b", "EDGEWISE_DATA_DIR": "/d"})[:3] == [
        Path("/a"),
        Path("/b"),
        Path("/d/models"),
    ]
    assert settings.DATA_DIR / "models" in settings.MODEL_DIRS
    assert settings.MODEL_DIRS[-1] == places.folders()[-1]


def test_the_list_says_what_is_installed_broken_and_available(tmp_path: Path) -> None:
    onnx_models.install(tmp_path / "models" / "mine")
    onnx_models.install(tmp_path / "models" / "spoilt", mean=None)

    said = command("list", EDGEWISE_DATA_DIR=str(tmp_path))

    assert said.returncode == 0
    lines = {tuple(line.split()[:2]) for line in said.stdout.splitlines()}
    assert ("installed", "mine") in lines
    assert ("broken", "spoilt") in lines
    assert {("available", one.name) for one in PUBLISHED} <= lines


def test_a_command_that_fails_says_why_and_has_that_status(tmp_path: Path) -> None:
    offline = command("install", TINY, "--into", str(tmp_path / "m"), EDGEWISE_OFFLINE="1")
    unknown = command("verify", "absent", EDGEWISE_DATA_DIR=str(tmp_path))

    assert (offline.returncode, unknown.returncode) == (1, 1)
    assert "No model named 'absent'" in unknown.stderr
    assert "EDGEWISE_OFFLINE" in offline.stderr or "Converting a checkpoint needs" in offline.stderr
    assert "Traceback" not in offline.stderr + unknown.stderr
    assert installed_models([tmp_path / "m"]) == []
