"""The torch encoder gives the embeddings of the ONNX one, exactly in float32 and nearly in half precision."""

import importlib.util
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ml.embeddings import Embedding
from ml.embeddings.features import SHAPES
from ml.encode import OnnxEncoder, choice, open_encoder
from ml.models import InstalledModel, ModelError
from tests.support.sam2_models import with_torch

pytestmark = pytest.mark.timeout(600)

EXACT = 5e-5  # of the feature's standard deviation, measured 5e-6: single precision in another order
HALF = 0.03  # root mean square over the standard deviation, measured 0.011: bfloat16 has 8 bits

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def windows() -> list[Pixels]:
    from ml.export.pictures import picture

    return [picture(5), np.ascontiguousarray(picture(6)[:700, :300])]


def apart(ours: Embedding, theirs: Embedding) -> list[tuple[float, float]]:
    """For each feature: the largest and the root mean square difference in standard deviations of the second."""
    found = []
    for name in SHAPES:
        one, other = getattr(ours, name), getattr(theirs, name)
        difference = np.abs(one - other) / other.std()
        found.append((float(difference.max()), float(np.sqrt((difference**2).mean()))))
    return found


@with_torch
def test_in_float32_it_gives_the_embeddings_of_the_onnx_encoder(small: InstalledModel, windows: list[Pixels]) -> None:
    from ml.encode.torch_encoder import TorchEncoder

    exact, onnx = TorchEncoder(small, exact=True, batch=2), OnnxEncoder(small)

    for ours, theirs in zip(exact.encode_many(windows), onnx.encode_many(windows), strict=True):
        assert max(largest for largest, _ in apart(ours, theirs)) < EXACT


@with_torch
def test_in_half_precision_it_stays_near(small: InstalledModel, windows: list[Pixels]) -> None:
    from ml.encode.torch_encoder import TorchEncoder

    encoder = TorchEncoder(small)
    encoder.half = True  # also on a processor on which it would be slower

    half = encoder.encode(windows[0])

    differences = apart(half, OnnxEncoder(small).encode(windows[0]))
    assert 1e-4 < max(mean for _, mean in differences) < HALF, differences
    assert all(getattr(half, name).dtype == np.float32 for name in SHAPES)


@with_torch
def test_a_card_without_room_for_a_batch_takes_half_as_many_from_then_on(
    small: InstalledModel, windows: list[Pixels], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    from ml.encode.torch_encoder import TorchEncoder

    encoder = TorchEncoder(small, exact=True, batch=4)
    sizes: list[int] = []

    def with_room_for_two(image: Any) -> Any:
        sizes.append(len(image))
        if len(image) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return [image[:, :1, 10:11, 10:11].expand(-1, *shape[1:]) for shape in SHAPES.values()]

    monkeypatch.setattr(encoder, "_eager", with_room_for_two)
    five = [*windows, *windows, windows[0][::-1]]
    singly = [encoder.encode(one).image_embed[0, 0, 0, 0] for one in five]
    sizes.clear()

    found = encoder.encode_many(five)

    assert [one.image_embed[0, 0, 0, 0] for one in found] == singly
    assert len(set(singly)) == 3
    assert (sizes, encoder.batch) == ([4, 2, 2, 1], 2)
    assert "no room for 4 windows at once; 2 from now on" in caplog.text


@with_torch
def test_a_card_without_room_for_one_window_says_so(small: InstalledModel, windows: list[Pixels]) -> None:
    import torch

    from ml.encode.torch_encoder import TorchEncoder

    encoder = TorchEncoder(small, exact=True)

    def full(_: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    encoder._eager = full
    with pytest.raises(torch.cuda.OutOfMemoryError):
        encoder.encode(windows[0])


@with_torch
@pytest.mark.parametrize("at_once", [True, False], ids=["at the call", "at the first window"])
def test_what_cannot_be_compiled_runs_as_it_is_and_says_so_once(
    small: InstalledModel,
    windows: list[Pixels],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    at_once: bool,
) -> None:
    import torch

    from ml.encode.torch_encoder import TorchEncoder

    def compiles(_: Any, **__: Any) -> Any:
        def first_call(_: Any) -> Any:
            raise RuntimeError("no C++ compiler\nwith a long story")

        return first_call(None) if at_once else first_call

    monkeypatch.setattr(torch, "compile", compiles)
    encoder = TorchEncoder(small, exact=True, compiled=True)

    found = [encoder.encode(windows[0]), encoder.encode(windows[0])]

    plain = TorchEncoder(small, exact=True).encode(windows[0])
    assert all(np.array_equal(one.image_embed, plain.image_embed) for one in found)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "torch cannot compile the encoder here (no C++ compiler); it goes on without. Unset EDGEWISE_TORCH_COMPILE."
    ]


@with_torch
def test_what_is_no_window_is_refused(small: InstalledModel) -> None:
    from ml.encode.torch_encoder import TorchEncoder

    encoder = TorchEncoder(small)
    for bad in (np.zeros((1025, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(ValueError, match=r"window|uint8"):
            encoder.encode(bad)  # type: ignore[arg-type]
    assert encoder.encode_many([]) == []


@with_torch
def test_the_encoder_is_chosen_by_its_name(small: InstalledModel, model: InstalledModel) -> None:
    from ml.encode.torch_encoder import TorchEncoder

    assert isinstance(open_encoder(model), OnnxEncoder)
    assert isinstance(open_encoder(small, "torch-cpu"), TorchEncoder)
    with pytest.raises(ModelError, match="installed without its weights"):
        open_encoder(replace(model, weights=None), "torch-cpu")


def test_a_name_that_is_none_is_refused(model: InstalledModel) -> None:
    with pytest.raises(ModelError, match=r"no encoder 'tpu'.*onnx, onnx-cuda, torch-cpu, torch-cuda, auto"):
        open_encoder(model, "tpu")


def test_the_runtime_for_cards_is_asked_for_by_name_and_not_silently_replaced(model: InstalledModel) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there is ONNX Runtime for NVIDIA cards")
    with pytest.raises(ModelError, match=r"onnx-cuda needs a card and ONNX Runtime for NVIDIA cards"):
        open_encoder(model, "onnx-cuda")


def test_what_was_asked_for_and_cannot_be_is_said_and_onnx_goes_on(model: InstalledModel) -> None:
    found = choice.look("tpu", [model])

    assert (found.encoder, found.models, found.card_models) == ("onnx", (model.name,), ())
    assert found.why.startswith("There is no encoder 'tpu'.")
    assert choice.choice_for(model, found) == "onnx"


def test_a_model_without_weights_is_not_meant_for_a_card_that_needs_them(
    model: InstalledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, with_weights = replace(model, weights=None), replace(model, name="whole")
    monkeypatch.setattr(choice, "has_card", lambda: True)
    monkeypatch.setattr(choice, "_has_torch", lambda: True)
    monkeypatch.setattr(choice, "_card", lambda _: ("A card", 24_000 * 2**20))

    found = choice.look("auto", [model, with_weights])

    assert (found.encoder, found.card, found.memory_mb) == ("torch-cuda", "A card", 24_000)
    assert (found.models, found.card_models) == ((model.name, "whole"), ("whole",))
    assert choice.choice_for(with_weights, found) == "torch-cuda"
    assert choice.choice_for(model, found) == "onnx"


def test_without_torch_or_a_card_auto_is_onnx_and_the_others_say_what_they_need(
    model: InstalledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name == "torch" else real(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)

    assert isinstance(open_encoder(model, "auto"), OnnxEncoder)
    for name in ("torch-cpu", "torch-cuda"):
        with pytest.raises(ModelError, match="needs torch and sam2"):
            open_encoder(model, name)


@with_torch
def test_a_card_that_is_not_there_is_said(small: InstalledModel) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a graphics card")
    assert not choice.has_card()
    assert isinstance(open_encoder(small, "auto"), OnnxEncoder)
    with pytest.raises(ModelError, match=r"no graphics card .*EDGEWISE_ENCODER=onnx"):
        open_encoder(small, "torch-cuda")


@with_torch
def test_a_card_gives_the_embeddings_of_the_processor(small: InstalledModel, windows: list[Pixels]) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no graphics card")
    from ml.encode.torch_encoder import TorchEncoder

    card, onnx = TorchEncoder(small, "cuda"), OnnxEncoder(small)
    for ours, theirs in zip(card.encode_many(windows), onnx.encode_many(windows), strict=True):
        assert max(mean for _, mean in apart(ours, theirs)) < HALF


def test_onnx_alone_loads_no_torch(model: InstalledModel) -> None:
    import subprocess

    program = "import sys, ml.encode; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
