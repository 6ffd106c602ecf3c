"""The encoder for processors: the same embeddings in float32, and in eight bits only where masks were seen to agree."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ml.embeddings import Embedding
from ml.embeddings.features import SHAPES
from ml.encode import OnnxEncoder, choice
from ml.models import InstalledModel, ModelFile, installed, load_model
from ml.models.processor import VNNI, abilities
from tests.support.sam2_models import TINY, with_torch

pytestmark = [with_torch, pytest.mark.timeout(900)]

FLOAT = 1e-4  # largest difference in standard deviations of the feature, measured 2e-5: another order of sums

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    from ml.export.pictures import picture

    return [picture(5), picture(6)]


@pytest.fixture(scope="module")
def torch_model(small: InstalledModel) -> Any:
    from ml.export.weights import load_installed

    return load_installed(small)


@pytest.fixture
def folder(small: InstalledModel, tmp_path: Path) -> Path:
    """A copy of the small model's folder."""
    return Path(shutil.copytree(small.encoder.path.parent, tmp_path / "small"))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    installed._load.cache_clear()
    yield caplog
    installed._load.cache_clear()


def written(model: InstalledModel, torch_model: Any, path: Path, **said: Any) -> OnnxEncoder:
    from ml.export.quick_encoder import write_quick_encoder
    from ml.models.installed import entry_of

    write_quick_encoder(torch_model, path, **said)
    return OnnxEncoder(model, file=entry_of(path))


def largest(ours: Embedding, theirs: Embedding) -> float:
    return max(
        float(np.abs(getattr(ours, name) - getattr(theirs, name)).max() / getattr(theirs, name).std())
        for name in SHAPES
    )


def quick(folder: Path, said: str, tolerance: float, needs: str = "") -> None:
    """Puts the exported encoder itself in as the quick one, with a remark that means nothing to the runtime."""
    manifest = json.loads((folder / "model.json").read_text())
    content = (folder / "encoder.onnx").read_bytes() + b"\x32\x01x"  # ModelProto.doc_string = "x"
    (folder / "encoder_quick-0.onnx").write_bytes(content)
    entry = installed.entry_of(folder / "encoder_quick-0.onnx")
    manifest["files"]["encoder_quick"] = {"path": entry.path.name, "sha256": entry.sha256, "bytes": len(content)}
    manifest["encode"] = {"precision": said, "tolerance": tolerance, "needs": needs}
    (folder / "model.json").write_text(json.dumps(manifest))


def test_in_float32_the_quick_encoder_gives_the_embeddings_of_the_exported_one(
    small: InstalledModel, torch_model: Any, pictures: list[Pixels], tmp_path: Path
) -> None:
    ours, theirs = written(small, torch_model, tmp_path / "quick.onnx"), OnnxEncoder(small, exact=True)

    for pixels in (pictures[0], np.ascontiguousarray(pictures[1][:700, :301])):
        assert largest(ours.encode(pixels), theirs.encode(pixels)) < FLOAT


def test_windows_of_14_of_the_family_of_meta_are_padded_as_sam2_pads_them(
    small: InstalledModel, pictures: list[Pixels], tmp_path: Path
) -> None:
    import torch

    from ml.encode.onnx_encoder import prepare
    from ml.export.graphs import ImageEncoder
    from ml.export.weights import build

    torch.manual_seed(4)
    tiny = build(TINY).eval()
    ours = written(small, tiny, tmp_path / "quick.onnx").encode(pictures[0])

    with torch.inference_mode():
        theirs = ImageEncoder(tiny).eval()(torch.from_numpy(prepare(pictures[0], small)))

    assert largest(ours, Embedding(*(one.numpy() for one in theirs))) < FLOAT


def test_in_eight_bits_it_stays_near_and_ranges_from_calibration_are_used(
    small: InstalledModel, torch_model: Any, pictures: list[Pixels], tmp_path: Path
) -> None:
    from ml.export.quick_choice import MOST_RMS, calibrate, feature_rms

    ranges = calibrate(small, torch_model, pictures, tmp_path)
    narrow = {key: (low / 50, high / 50) for key, (low, high) in ranges.items()}
    theirs = OnnxEncoder(small, exact=True).encode(pictures[0])

    near, far = (
        written(small, torch_model, tmp_path / "quick.onnx", int8=True, ranges=some).encode(pictures[0])
        for some in (ranges, narrow)
    )

    off = max(feature_rms(near, theirs).values())
    assert off > 1e-4
    assert max(feature_rms(far, theirs).values()) > max(off, MOST_RMS)
    if VNNI not in abilities():
        pytest.skip("without VNNI sums of eight-bit products overflow: how near they stay cannot be asked here")
    assert off < MOST_RMS


def chosen(folder: Path, torch_model: Any, pictures: list[Pixels]) -> Any:
    from ml.export.quick_choice import choose_quick_encoder

    return choose_quick_encoder(folder, torch_model, pictures=pictures, prompts=12, turns=1)


def quickest(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Takes times for what they are said to be, so that the choice does not hang on what else the machine does."""
    from ml.export import quick_choice

    order = (*names, *(name for name in ("int8-static", "int8", "fp32") if name not in names))
    times = {name: 1.0 + number for number, name in enumerate(order)} | {"": 9.0}
    monkeypatch.setattr(quick_choice, "_seconds", lambda *_: times)


def test_the_quickest_that_agrees_is_written_down_and_used(
    folder: Path, torch_model: Any, pictures: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    quickest(monkeypatch, "fp32")
    before = load_model(folder)

    variant = chosen(folder, torch_model, pictures)

    assert (variant.precision, variant.times, variant.prompts) == ("fp32", 9.0, 12)
    now = load_model(folder)
    assert now.encoder_quick is not None
    assert now.encoder_quick.path.name == f"encoder_quick-{now.encoder_quick.sha256[:12]}.onnx"
    assert (now.quick_tolerance, now.own_embeddings, now.sha256) == (1e-3, False, before.sha256)
    said = json.loads((folder / "model.json").read_text())["encode"]
    assert [one["precision"] for one in said["measured"]] == ["fp32", "int8-static", "int8"]
    assert sorted(path.name for path in folder.glob("*quick*")) == [now.encoder_quick.path.name]
    direct = OnnxEncoder(now, file=now.encoder_quick).encode(pictures[0])
    exported = OnnxEncoder(now, exact=True).encode(pictures[0])
    used = OnnxEncoder(now).encode(pictures[0])
    assert np.array_equal(used.image_embed, direct.image_embed)
    assert not np.array_equal(used.image_embed, exported.image_embed)


def test_a_quicker_one_that_does_not_agree_is_refused(
    folder: Path, torch_model: Any, pictures: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml.export import quick_choice

    write = quick_choice.write_quick_encoder

    def spoilt(model: Any, path: Path, **said: Any) -> None:
        if said.get("int8"):
            parts = [f"block{number}.{part}" for number in range(99) for part in ("in", "out", "mlp", "mlp2")]
            said["ranges"] = dict.fromkeys(parts, (-0.01, 0.01))
        write(model, path, **said)

    monkeypatch.setattr(quick_choice, "write_quick_encoder", spoilt)
    quickest(monkeypatch)

    assert chosen(folder, torch_model, pictures).precision == "fp32"

    measured = json.loads((folder / "model.json").read_text())["encode"]["measured"]
    assert [one["precision"] for one in measured] == ["int8-static", "int8", "fp32"]
    assert all(one["mask_iou_p5"] < 0.95 or one["feature_rms"] > 0.1 for one in measured[:2])
    assert load_model(folder).quick_tolerance == 1e-3


def test_what_is_not_quicker_is_not_taken_and_one_that_was_goes(
    folder: Path, torch_model: Any, pictures: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml.export import quick_choice

    quick(folder, "fp32", 1e-3)
    monkeypatch.setattr(quick_choice, "_seconds", lambda *_: {"": 1.0, "int8-static": 2.0, "int8": 2.0, "fp32": 2.0})

    assert chosen(folder, torch_model, pictures) is None

    assert load_model(folder).encoder_quick is None
    assert list(folder.glob("*quick*")) == []
    assert json.loads((folder / "model.json").read_text())["encode"]["precision"] == "as exported"


def test_the_exported_encoder_comes_back_when_it_is_asked_for(folder: Path) -> None:
    from ml.models.install import quicken

    quick(folder, "int8-static", 0.1)
    said: list[str] = []
    before = load_model(folder)

    now = quicken(before, said.append, measured=False)

    assert now.encoder_quick is None
    assert now.sha256 != before.sha256
    assert said == [
        "small encodes on processors with the exported encoder, in full precision.",
        "Its embeddings are not those of before: windows are encoded again where somebody clicks, or when encoding is "
        "started. The old ones can be removed on the page of models.",
    ]


def test_a_model_without_weights_keeps_its_encoder_and_says_so(small: InstalledModel) -> None:
    from ml.models.install import quicken

    said: list[str] = []
    bare = replace(small, weights=None)

    assert quicken(bare, said.append) is bare
    assert said == ["The encoder of small stays as it is: it was installed without its weights."]


@pytest.mark.parametrize(("tolerance", "own"), [(0.03, False), (0.031, True)])
def test_embeddings_that_differ_by_more_than_half_precision_are_not_mixed_with_others(
    folder: Path, small: InstalledModel, tolerance: float, *, own: bool
) -> None:
    quick(folder, "int8-static", tolerance)

    model = load_model(folder)

    assert model.encoder_quick is not None
    assert (model.own_embeddings, model.sha256 != small.sha256) == (own, own)
    for other in ("onnx-cuda", "torch-cpu", "torch-cuda"):
        ability = choice.Ability(other, "", 0, ("small",), ())
        assert choice.choice_for(model, ability) == ("onnx" if own else other)


@pytest.mark.parametrize("how", ["damaged", "absent", "another processor"])
def test_a_quick_encoder_that_cannot_be_used_is_left_aside_with_a_line_in_the_log(
    folder: Path, small: InstalledModel, log: pytest.LogCaptureFixture, how: str
) -> None:
    quick(folder, "int8-static", 0.1, "a thing that no processor has" if how == "another processor" else "")
    path = folder / "encoder_quick-0.onnx"
    if how == "damaged":
        path.write_bytes(path.read_bytes()[:-1] + b"y")
    elif how == "absent":
        path.unlink()

    model = load_model(folder)

    assert (model.encoder_quick, model.own_embeddings, model.sha256) == (None, False, small.sha256)
    assert "small: its quick encoder is left aside, and the exported one is used, which is slower" in log.text
    assert "python -m ml models tune small" in log.text
    OnnxEncoder(model)


@pytest.mark.parametrize("own", [False, True])
def test_one_that_the_runtime_refuses_is_passed_over_only_where_embeddings_count_as_the_same(
    small: InstalledModel, tmp_path: Path, log: pytest.LogCaptureFixture, *, own: bool
) -> None:
    from ml.models import ModelError
    from ml.models.installed import entry_of

    (tmp_path / "quick.onnx").write_bytes(b"no graph")
    model = replace(small, encoder_quick=entry_of(tmp_path / "quick.onnx"), quick_tolerance=0.1 if own else 1e-3)

    if own:
        with pytest.raises(ModelError, match=r"quick\.onnx is not a model that can be run"):
            OnnxEncoder(model)
    else:
        OnnxEncoder(model)
        assert "The exported encoder of small is used, which is slower: quick.onnx is not a model" in log.text


def test_verify_states_and_holds_the_tolerance_of_the_quick_encoder(folder: Path, torch_model: Any) -> None:
    from ml.export.parity import compare

    quick(folder, "fp32", 1e-3)
    model = replace(load_model(folder), memory_attention=None)
    assert isinstance(model.encoder_quick, ModelFile)

    found = compare(model, torch_model, prompt_sets=1)

    by_name = {one.what: one for one in found.differences}
    for where in ("", " at a raster's edge"):
        one = by_name[f"quick encoder{where}, image_embed, root mean square"]
        assert (one.bound, one.largest) == (1e-3, 0)
    assert by_name["input at a raster's edge, from uint8 pixels"].largest == 0
    assert 0 < by_name["encoder at a raster's edge, image_embed"].largest < FLOAT
    assert found.passed, found.table()


def test_verify_notices_a_quick_encoder_of_other_weights(folder: Path, torch_model: Any, tmp_path: Path) -> None:
    import torch

    from ml.export.parity import compare
    from ml.export.quick_encoder import write_quick_encoder
    from ml.export.weights import load_installed
    from ml.models.installed import entry_of

    quick(folder, "fp32", 1e-3)
    model = replace(load_model(folder), memory_attention=None)
    other = load_installed(model)
    with torch.no_grad():
        other.state_dict()["image_encoder.trunk.blocks.0.mlp.layers.0.bias"].add_(0.03)
    write_quick_encoder(other, tmp_path / "other.onnx")

    found = compare(replace(model, encoder_quick=entry_of(tmp_path / "other.onnx")), torch_model, prompt_sets=1)

    assert {one.what.split(",")[0] for one in found.differences if not one.passed} == {
        "quick encoder",
        "quick encoder at a raster's edge",
    }
