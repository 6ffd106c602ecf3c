"""What is installed, and what is refused with words that help."""

import json
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto

from ml.decode import OnnxDecoder
from ml.encode import OnnxEncoder
from ml.models import CandidateRule, ModelError, choose_model, installed_models, load_model
from ml.models.sessions import DECODER_INPUTS, DECODER_OUTPUTS, ENCODER_INPUTS, FEATURES
from tests.support.onnx_models import decoder_of, encoder_of, graph_of, install

SHIPPED = Path(__file__).parents[3] / "fixtures" / "models"


def test_the_shipped_model_loads_and_runs_on_its_own_terms() -> None:
    model = choose_model([SHIPPED])

    assert model.input_size == 1024
    assert model.encoder.path.is_file()
    OnnxEncoder(model)
    OnnxDecoder(model)


def test_a_model_is_what_its_manifest_says(tmp_path: Path) -> None:
    install(tmp_path / "tiny", name="sam2.1-tiny")

    (model,) = installed_models([tmp_path])

    assert model.name == "sam2.1-tiny"
    assert model.mean == (0.485, 0.456, 0.406)
    assert model.std == (0.229, 0.224, 0.225)
    assert model.candidate_rule is CandidateRule.SAM2
    assert model.mask_feedback is True


def test_the_hash_changes_with_either_file_and_with_the_normalisation(tmp_path: Path) -> None:
    said = [
        load_model(install(tmp_path / "a")),
        load_model(install(tmp_path / "b", encoder=graph_of(ENCODER_INPUTS, {**FEATURES, "more": (1,)}))),
        load_model(install(tmp_path / "c", decoder=graph_of(DECODER_INPUTS, {**DECODER_OUTPUTS, "more": (1,)}))),
        load_model(install(tmp_path / "d", mean=[0.5, 0.5, 0.5])),
        load_model(install(tmp_path / "e", std=[0.5, 0.5, 0.5])),
    ]

    assert len({model.sha256 for model in said}) == 5
    assert load_model(install(tmp_path / "f", name="other", description="other")).sha256 == said[0].sha256


def test_the_named_model_is_chosen_and_the_first_one_without_a_name(tmp_path: Path) -> None:
    install(tmp_path / "one" / "b-model")
    install(tmp_path / "one" / "a-model")
    install(tmp_path / "two" / "a-model", mean=[0, 0, 0])

    folders = [tmp_path / "one", tmp_path / "two"]

    assert choose_model(folders).name == "a-model"
    assert choose_model(folders).mean == (0.485, 0.456, 0.406)
    assert choose_model(folders, "b-model").name == "b-model"
    with pytest.raises(ModelError, match=r"No model named 'c'.*a-model, b-model"):
        choose_model(folders, "c")


def test_without_any_model_the_message_says_where_to_put_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="EDGEWISE_MODEL_DIRS"):
        choose_model([tmp_path, tmp_path / "absent"])


def test_a_broken_model_beside_a_sound_one_does_not_matter(tmp_path: Path) -> None:
    install(tmp_path / "a-broken", mean=None)
    install(tmp_path / "sound")

    assert choose_model([tmp_path]).name == "sound"
    assert choose_model([tmp_path], "sound").name == "sound"


def test_a_broken_model_that_is_meant_says_what_is_wrong(tmp_path: Path) -> None:
    install(tmp_path / "broken", mean=None)

    for name in ("", "broken"):
        with pytest.raises(ModelError, match="does not say 'mean'"):
            choose_model([tmp_path], name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "'name'"),
        ({"files": None}, "'files'"),
        ({"files": {"encoder": {"path": "encoder.onnx", "sha256": "0"}}}, "damaged"),
        ({"files": []}, "not right"),
        ({"mean": [0.5, 0.5]}, "not right"),
        ({"mean": ["a", "b", "c"]}, "not right"),
        ({"std": [0.2, 0, 0.2]}, "std is above 0"),
        ({"std": [0.2, float("nan"), 0.2]}, "finite"),
        ({"input_size": 512}, "input_size is 1024"),
        ({"candidate_rule": "best"}, "best"),
    ],
)
def test_a_manifest_that_is_not_right_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    folder = install(tmp_path / "model", **changes)

    with pytest.raises(ModelError, match=message):
        load_model(folder)
    assert installed_models([tmp_path]) == []


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00", "[" * 70_000, '{"name": "x"}' + " " * 70_000 + "x"])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    folder = install(tmp_path / "model")
    (folder / "model.json").write_text(text)

    with pytest.raises(ModelError, match="Install it again"):
        load_model(folder)


def test_fields_and_precision_are_those_that_the_manifest_has_measured(tmp_path: Path) -> None:
    plain = load_model(install(tmp_path / "plain", decode={"fields": [16, 64]}))
    assert (plain.fields, plain.precision) == ((64,), "fp32"), "one file decodes whole windows"
    assert load_model(with_prepare(tmp_path / "silent")).fields == (64,)
    told = load_model(with_prepare(tmp_path / "told", decode={"fields": [16, 32, 64]}))
    assert (told.fields, told.hover_fields) == ((16, 32, 64), (16, 32, 64))
    other = load_model(with_prepare(tmp_path / "other", decode={"fields": [64], "hover_fields": [32, 64]}))
    assert (other.fields, other.hover_fields) == ((64,), (32, 64))
    assert (other.far, other.stability, other.hover_far) == (0, 0.0, 0)
    decode = {"fields": [16, 64], "far": 2, "stability": 0.7, "hover_far": 4, "hover_stability": 0.3}
    around = load_model(with_prepare(tmp_path / "around", decode=decode))
    assert (around.far, around.stability, around.hover_far, around.hover_stability) == (2, 0.7, 4, 0.3)


def test_a_decoder_of_an_older_export_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = with_prepare(tmp_path / "old")
    files = json.loads((folder / "model.json").read_text())["files"]
    del files["mask"]
    install(folder, files=files)
    with pytest.raises(ModelError, match=r"older Edgewise\. Install it again"):
        load_model(folder)


@pytest.mark.parametrize(
    "decode",
    [
        {"fields": []}, {"fields": [16, 32]}, {"fields": [32, 16, 64]}, {"fields": [16, 16, 64]}, {"fields": [1, 64]},
        {"fields": ["x", 64]}, {"fields": 64}, {"precision": "int4"}, {"precision": "int8"}, [], 7,
        {"hover_fields": [16]}, {"far": 3}, {"hover_far": 16}, {"stability": 1.5}, {"stability": "x"}, {"far": [2]},
        {"hover_stability": -1},
    ],
)  # fmt: skip
def test_fields_or_a_precision_that_cannot_be_are_refused(tmp_path: Path, decode: Any) -> None:
    with pytest.raises(ModelError, match="is not right"):
        load_model(with_prepare(tmp_path / "m", decode=decode))


def with_prepare(folder: Path, **changes: Any) -> Path:
    """A model whose decoder has three files."""
    install(folder)
    files = json.loads((folder / "model.json").read_text())["files"]
    for part in ("prepare", "mask"):
        (folder / f"{part}.onnx").write_bytes((folder / "decoder.onnx").read_bytes())
        files[part] = {**files["decoder"], "path": f"{part}.onnx"}
    return install(folder, files=files, **changes)


def test_a_file_that_changed_since_is_refused(tmp_path: Path) -> None:
    folder = install(tmp_path / "model")
    load_model(folder)
    content = bytearray((folder / "decoder.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "decoder.onnx").write_bytes(content)

    with pytest.raises(ModelError, match="damaged"):
        load_model(folder)


def test_a_file_that_changes_after_it_was_checked_is_not_run(tmp_path: Path) -> None:
    model = load_model(install(tmp_path / "model"))
    model.encoder.path.write_bytes(model.decoder.path.read_bytes())

    with pytest.raises(ModelError, match="damaged"):
        OnnxEncoder(model)

    model.encoder.path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxEncoder(model)


def test_a_mended_model_is_found_without_a_restart(tmp_path: Path) -> None:
    folder = install(tmp_path / "model", mean=None)
    with pytest.raises(ModelError):
        choose_model([tmp_path])

    install(folder)

    assert choose_model([tmp_path]).name == "model"


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({"picture": (1, 3, 1024, 1024)}, FEATURES),
        ({"image": (1, 3, 512, 512)}, FEATURES),
        ({"image": (3, 1024, 1024)}, FEATURES),
        ({**ENCODER_INPUTS, "depth": (1,)}, FEATURES),
        (ENCODER_INPUTS, {**FEATURES, "image_embed": (1, 256, 32, 32)}),
        (ENCODER_INPUTS, {name: FEATURES[name] for name in ("image_embed", "high_res_feats_0")}),
    ],
)
def test_an_encoder_of_another_make_is_refused(tmp_path: Path, inputs: Any, outputs: Any) -> None:
    model = load_model(install(tmp_path / "model", encoder=encoder_of(inputs, outputs)))

    with pytest.raises(ModelError, match=r"encoder\.onnx.*another model"):
        OnnxEncoder(model)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({**DECODER_INPUTS, "mask_input": (None, 1, 128, 128)}, DECODER_OUTPUTS),
        ({name: shape for name, shape in DECODER_INPUTS.items() if name != "has_mask_input"}, DECODER_OUTPUTS),
        ({**DECODER_INPUTS, "orig_im_size": (2,)}, DECODER_OUTPUTS),
        (DECODER_INPUTS, {**DECODER_OUTPUTS, "low_res_masks": (None, 3, 256, 256)}),
        (DECODER_INPUTS, {**DECODER_OUTPUTS, "iou_predictions": (None, 3)}),
    ],
)
def test_a_decoder_of_another_make_is_refused(tmp_path: Path, inputs: Any, outputs: Any) -> None:
    model = load_model(install(tmp_path / "model", decoder=decoder_of(inputs, outputs)))

    with pytest.raises(ModelError, match=r"decoder\.onnx.*another model"):
        OnnxDecoder(model)


def test_a_model_of_another_number_type_is_refused(tmp_path: Path) -> None:
    folder = install(tmp_path / "model", encoder=graph_of(ENCODER_INPUTS, FEATURES, TensorProto.FLOAT16))

    with pytest.raises(ModelError, match="another model"):
        OnnxEncoder(load_model(folder))


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 4096])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = install(tmp_path / "model", encoder=content or None)
    if not content:
        (folder / "encoder.onnx").write_bytes(b"")
        said = json.loads((folder / "model.json").read_text())
        said["files"]["encoder"]["sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        (folder / "model.json").write_text(json.dumps(said))

    with pytest.raises(ModelError, match="not a model that can be run"):
        OnnxEncoder(load_model(folder))
