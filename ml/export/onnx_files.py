"""Writes a model's modules as ONNX files that ONNX Runtime runs without torch."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ml.export.graphs import ImageEncoder, PlainDecoder
from ml.export.memory import Recall, Remember
from ml.export.reassociated import Decoder, MaskPrompt, Prepare
from ml.models.sessions import (
    DECODER_OUTPUTS,
    DRAWN,
    ENCODER_INPUTS,
    FEATURES,
    MASK_FEATURES,
    MASK_INPUTS,
    MASK_TOKENS,
    MEMORY_ATTENTION_INPUTS,
    MEMORY_ATTENTION_OUTPUTS,
    MEMORY_ENCODER_INPUTS,
    MEMORY_ENCODER_OUTPUTS,
    PREPARE_INPUTS,
    PREPARED,
    PREPARED_DECODER_INPUTS,
    PROMPTS,
    Shapes,
)

OPSET = 20  # the first with Gelu; the older exporter's graphs run 15 to 20 % faster than the newer one's
OUTPUTS: Shapes = {**DECODER_OUTPUTS, "low_res_masks": (None, 4, None, None), **MASK_TOKENS}
TOKENS = 64 * 64  # of a whole window
TWO = 2  # prompt sets in the example; with one, a count could be taken for a constant


def export_encoder(model: Any, path: Path) -> None:
    """The image encoder, from normalised pixels on."""
    write(ImageEncoder(model), path, [torch.zeros(1, 3, 1024, 1024)], ENCODER_INPUTS, FEATURES)


def export_decoder(model: Any, prepare: Path, mask: Path, decoder: Path) -> None:
    """The fast decoder's three files: what is made once an image, once a mask prompt, and for every prompt set."""
    origin = torch.zeros(2)
    features = _features()
    write(Prepare(model), prepare, [*features, origin], PREPARE_INPUTS, PREPARED)
    points, labels, masks, has = _prompts()
    write(MaskPrompt(model), mask, [masks], MASK_INPUTS, MASK_FEATURES)
    with torch.inference_mode():
        prepared, drawn = Prepare(model)(*features, origin), MaskPrompt(model)(masks)
    near = torch.arange(TOKENS).reshape(64, 64)
    look = [torch.ones(TOKENS), torch.stack([near, near]), torch.ones(64, 64), torch.ones(5)]
    outputs = {**OUTPUTS, **DRAWN}
    write(Decoder(model), decoder, [*prepared, *look, points, labels, drawn, has], PREPARED_DECODER_INPUTS, outputs)


def export_plain_decoder(model: Any, path: Path) -> None:
    """The decoder as it stands in `sam2`, in one file."""
    example = [*_features(), torch.zeros(2), *_prompts()]
    write(PlainDecoder(model), path, example, {**PREPARE_INPUTS, **PROMPTS}, OUTPUTS)


def export_memory(model: Any, encoder: Path, attention: Path) -> None:
    """The memory's two files."""
    embed = torch.zeros(1, 256, 64, 64)
    masked = [embed, torch.zeros(1, 1, 256, 256), torch.zeros(1, 256), torch.ones(1, 1), torch.ones(1)]
    write(Remember(model), encoder, masked, MEMORY_ENCODER_INPUTS, MEMORY_ENCODER_OUTPUTS)
    memories = [torch.zeros(TWO, 64, 64, 64), torch.tensor([6, 0]), torch.zeros(3, 256), torch.tensor([1.0, 0.5, 0.1])]
    write(Recall(model), attention, [embed, *memories], MEMORY_ATTENTION_INPUTS, MEMORY_ATTENTION_OUTPUTS)


def write(module: nn.Module, path: Path, example: Sequence[Tensor], inputs: Shapes, outputs: Shapes) -> None:
    """One module as one file; every None of a shape is a dimension that may change."""
    with warnings.catch_warnings(), torch.no_grad():  # else what the trace computes is all kept, 9 GB for `large`
        warnings.simplefilter("ignore")  # of tracing: that Python numbers become constants, and of the exporter's age
        torch.onnx.export(
            module.eval(),
            tuple(example),
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=_free({**inputs, **outputs}),
            opset_version=OPSET,
            dynamo=False,
        )


def _free(shapes: Shapes) -> Mapping[str, Mapping[int, str]]:
    return {
        name: {axis: f"{name}_{axis}" for axis, size in enumerate(shape) if size is None}
        for name, shape in shapes.items()
        if None in shape
    }


def _features() -> list[Tensor]:
    return [torch.zeros(shape) for shape in FEATURES.values()]


def _prompts() -> list[Tensor]:
    labels = torch.tensor([[1.0, 0.0, -1.0], [2.0, 3.0, -2.0]])
    return [torch.full((TWO, 3, 2), 512.0), labels, torch.zeros(TWO, 1, 256, 256), torch.tensor([0.0, 1.0])]
