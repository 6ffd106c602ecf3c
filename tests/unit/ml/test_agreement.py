"""Decoding in parts and in eight bits is used only where it was measured to agree and to pay."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from ml.__main__ import main as command
from ml.decode import WHOLE, Asked, Candidate, Decoded, Field, Look, OnnxDecoder, Parts, PromptSet, decode_nearby
from ml.embeddings import Embedding
from ml.models import InstalledModel, load_model
from ml.quality import agreement
from ml.quality.agreement import REFERENCE, Agreement, Way, agreements, choice, hover_way, record
from ml.quality.pictures import Picture
from tests.support.onnx_models import install
from tests.support.sam2_models import with_torch

ALL, LARGE = Way((16, 32, 64), 2), Way((32, 64), 2)


class Decoder:
    """Sees one square, or, in fields of some sides or in eight bits, only half of it."""

    halved: tuple[Any, ...] = ()

    def __init__(self, model: Any) -> None:
        self.model = model

    def prepare(self, embedding: Any) -> None:
        """Nothing to do."""

    def decode(self, embedding: Any, prompts: PromptSet, previous: Any, look: Look) -> Decoded:
        """One candidate."""
        field = look.near
        half = look.near.cols in self.halved or self.model.precision in self.halved
        window = np.full((256, 256), -9, np.float32)
        window[120:140, 120 : 130 if half else 140] = 9
        part = window[4 * field.row : 4 * (field.row + field.rows), 4 * field.col : 4 * (field.col + field.cols)]
        return Decoded((Candidate(part, 0.9, 0),), 1.0, field, look.near)


def measured(monkeypatch: pytest.MonkeyPatch, *halved: Any, int8: bool = True) -> list[Agreement]:
    """On one object, the square."""
    monkeypatch.setattr(agreement, "OnnxDecoder", Decoder)
    clock = itertools.count()
    monkeypatch.setattr(agreement.time, "process_time", lambda: float(next(clock)))  # every question takes as long
    monkeypatch.setattr(Decoder, "halved", halved)
    given: Any = model(int8=int8)
    truth = np.zeros((1024, 1024), bool)
    truth[480:560, 480:560] = True
    pictures = [Picture("square", np.zeros((1024, 1024, 3), np.uint8), (truth,))]
    encoder: Any = SimpleNamespace(encode=lambda pixels: None)
    return agreements(given, encoder, pictures)


def model(int8: bool = True, prepare: bool = True) -> InstalledModel:
    file: Any = "a file"
    empty: Any = None
    return InstalledModel(
        "m", "0", 1024, (0, 0, 0), (1, 1, 1), file, file, empty, True, file if prepare else None, file,
        decoder_int8=file if int8 else None,
    )  # fmt: skip


def way(
    *fields: int, far: int = 2, stability: float = 0.0, precision: str = "fp32", iou: float = 1.0, more: float = 0.0,
    ms: float = 10.0,
) -> Agreement:  # fmt: skip
    return Agreement(Way(fields, far, stability, precision), 9, iou, iou, more, more, ms, 40.0, 0, {}, {})


def test_the_most_saving_fields_that_agree_are_found_and_then_tried_in_eight_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = measured(monkeypatch, 16)

    first, second, *clicks, eight = found
    assert [(one.way, one.holds) for one in (first, second)] == [(Way((16, 32, 64)), False), (Way((32, 64)), True)]
    tried = [(one.way.fields[0], one.way.far, one.way.stability, one.holds) for one in clicks]
    assert tried == [
        *((16, far, stability, False) for far in (8, 4, 2) for stability in agreement.STABILITIES),
        (32, 8, 0.0, True),
        (32, 4, 0.0, True),
        (32, 2, 0.0, True),
    ], "a mask as firm as this one is believed at any stability"
    assert (eight.way.fields, eight.way.precision, eight.holds) == ((32, 64), "int8", True)
    assert first.iou == pytest.approx(0.5, abs=0.05)
    assert second.iou == 1.0
    assert second.prompts == 2, "a click and a box"
    assert (first.sides, second.sides) == ({"16": 2}, {"32": 2})
    assert first.by_size == {"64-128": first.iou}


def test_parts_that_differ_agree_once_shaky_masks_are_looked_at_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = Decoder.decode

    def shaky(self: Any, embedding: Any, prompts: PromptSet, previous: Any, look: Look) -> Decoded:
        found = decode(self, embedding, prompts, previous, look)
        if look.near != WHOLE:
            found.candidates[0].logits[found.candidates[0].logits > 0] = 0.5
        return found

    monkeypatch.setattr(Decoder, "decode", shaky)
    found = measured(monkeypatch, 16, 32, int8=False)
    held = [(one.way.fields, one.way.far, one.way.stability) for one in found if one.holds]
    assert held == [(fields, far, 0.2) for fields in ((16, 32, 64), (32, 64)) for far in (8, 4, 2)]
    assert all(one.grown == 2 for one in found if one.holds)
    assert {one.iou for one in found if one.holds} == {1.0}


def test_eight_bits_are_measured_against_full_precision_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, "int8")
    assert [(one.way.precision, one.holds) for one in found] == [*[("fp32", True)] * 8, ("int8", False)]
    assert choice(found).precision == "fp32"


def test_whole_windows_stay_where_nothing_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, 16, 32, "int8")
    assert [one.way.fields for one in found if one.holds] == [(64,)]
    assert choice(found) == REFERENCE
    assert choice(measured(monkeypatch, 16, 32, int8=False)) == REFERENCE


def test_a_model_in_one_file_has_no_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder: Any = None
    assert agreements(model(prepare=False), encoder, []) == []
    assert choice([]) == REFERENCE


def test_the_command_says_so_of_a_model_in_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = install(tmp_path / "plain")
    before = (folder / "model.json").read_bytes()
    monkeypatch.setenv("EDGEWISE_MODEL_DIRS", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["ml", "models", "tune", "plain"])
    assert command() == 1
    assert "plain decodes whole windows only" in capsys.readouterr().err
    assert (folder / "model.json").read_bytes() == before


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ([way(16, 32, 64), way(16, 32, 64, precision="int8", ms=8)], Way((16, 32, 64), 2, 0.0, "int8")),
        ([way(16, 32, 64), way(16, 32, 64, precision="int8", ms=9.6)], ALL),  # it hardly pays
        ([way(16, 32, 64), way(16, 32, 64, precision="int8", ms=5, iou=0.969)], ALL),
        ([way(16, 32, 64), way(16, 32, 64, precision="int8", ms=5, more=0.1)], ALL),  # more clicks, for certain
        ([way(16, 32, 64, iou=0.96), way(32, 64)], LARGE),
        ([way(16, 32, 64, stability=0.7, ms=20), way(32, 64)], LARGE),  # what asks again too often saves less
        ([way(16, 32, 64, stability=0.9, ms=41)], REFERENCE),  # or nothing at all
        ([way(16, 32, 64, more=0.1), way(32, 64, iou=0.9)], REFERENCE),
    ],
)
def test_what_agrees_and_pays_is_chosen(found: list[Agreement], chosen: Way) -> None:
    assert choice(found) == chosen


def test_previews_may_agree_less_than_clicks() -> None:
    found = [
        way(16, 32, 64, iou=0.89),
        way(16, 32, 64, far=4, iou=0.91, ms=12),
        way(32, 64, iou=0.92, ms=15),
        way(64, ms=40),
    ]
    assert hover_way(found, REFERENCE) == Way((16, 32, 64), 4)
    assert hover_way([*found, way(16, 32, 64, stability=0.3, ms=9)], REFERENCE) == Way((16, 32, 64), 2, 0.3)
    assert hover_way(found[:1], REFERENCE) == REFERENCE
    assert hover_way(found[:1], Way((32, 64), 2, 0.8)) == Way((32, 64), 2, 0.8)


def test_the_choice_is_written_with_what_it_rests_on_and_read_again(tmp_path: Path) -> None:
    folder = install(tmp_path / "m")
    before = load_model(folder)
    files = json.loads((folder / "model.json").read_text())["files"]
    install(
        folder, files={**files, "prepare": files["decoder"], "mask": files["decoder"], "decoder_int8": files["decoder"]}
    )

    eight = way(16, 32, 64, stability=0.7, precision="int8", ms=5)
    preview = way(32, 64, far=4, iou=0.95, stability=0.2, ms=9)
    record(folder, [way(16, 32, 64, stability=0.7), preview, eight], "two scenes")

    found = load_model(folder)
    assert (found.fields, found.far, found.stability, found.precision) == ((16, 32, 64), 2, 0.7, "int8")
    assert (found.hover_fields, found.hover_far, found.hover_stability) == ((32, 64), 4, 0.2)
    assert (before.fields, before.precision) == ((64,), "fp32")
    said = json.loads((folder / "model.json").read_text())["decode"]
    assert said["measured_on"] == "two scenes"
    assert [one["holds"] for one in said["measured"]] == [True, False, True]


def test_a_decoder_in_eight_bits_that_is_not_chosen_is_not_kept(tmp_path: Path) -> None:
    folder = install(tmp_path / "m")
    files = json.loads((folder / "model.json").read_text())["files"]
    (folder / "eight.onnx").write_bytes((folder / "decoder.onnx").read_bytes())
    eight = {**files["decoder"], "path": "eight.onnx"}
    install(folder, files={**files, "prepare": files["decoder"], "mask": files["decoder"], "decoder_int8": eight})

    record(folder, [way(16, 32, 64), way(16, 32, 64, precision="int8", iou=0.9)], "two scenes")

    assert not (folder / "eight.onnx").exists()
    found = load_model(folder)
    assert (found.fields, found.precision, found.decoder_int8) == ((16, 32, 64), "fp32", None)


@with_torch
@pytest.mark.timeout(600)
def test_fields_and_eight_bits_run_on_a_real_graph(small: InstalledModel) -> None:
    rng = np.random.default_rng(3)
    shapes = ((1, 256, 64, 64), (1, 32, 256, 256), (1, 64, 128, 128))
    features = Embedding(*(rng.normal(0, 1, shape).astype(np.float32) for shape in shapes))
    prompts = PromptSet(np.array([[512.0, 512.0]]), np.array([1]))
    assert small.decoder_int8 is not None
    assert 2 * small.decoder_int8.path.stat().st_size < small.decoder.path.stat().st_size
    full, eight = OnnxDecoder(small), OnnxDecoder(replace(small, precision="int8"))

    one, other = (decoder.answer(features, *prompts.tokens()).masks for decoder in (full, eight))

    assert 0 < float(np.sqrt(((one - other) ** 2).mean()) / one.std()) < 0.1
    part = full.decode(features, prompts, None, Look(Field(24, 24, 16, 16)))
    assert part.candidates[0].logits.shape == (64, 64)
    again = decode_nearby(full, features, Asked(prompts, parts=Parts((16,))))
    assert np.array_equal(cast(Any, again.of(part.candidates[0].index)).logits, part.candidates[0].logits)
