"""Encoding a window against `SAM2ImagePredictor.set_image`: the same weights and pixels, by turns in one process."""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.decode import OnnxDecoder, PromptSet
from ml.embeddings import Embedding
from ml.encode import OnnxEncoder
from ml.models import load_model
from tests.bench.grounds import MARGIN, SIDE, Ground, grounds, names
from tests.bench.harness import Gate, Row, interleaved, percentile, ratio
from tests.bench.reference import NO_WEIGHTS, iou, reference
from tests.support import sam2_reference

PAIRS = 30
PROMPTS = 500
GOAL = 4.0
MEAN_IOU, P5_IOU = 0.98, 0.95


def run() -> tuple[list[Row], list[str]]:
    """The row `encode.cpu_ratio`; nothing, and why, where torch or the weights are not there."""
    if not sam2_reference.available():
        return [], [f"encode.cpu_ratio: {sam2_reference.MISSING}"]
    found = reference()
    if found is None:
        return [], [f"encode.cpu_ratio: {NO_WEIGHTS}"]
    import torch

    torch.set_num_threads(1)
    pictures, left_out = grounds()
    model = load_model(found.model)
    predictor = found.predictor()
    encoder, decoder = OnnxEncoder(model), OnnxDecoder(model)
    images = [Image.fromarray(picture.pixels) for picture in pictures]
    timed = interleaved(
        lambda turn: encoder.encode(pictures[turn % len(pictures)].pixels),
        lambda turn: predictor.set_image(images[turn % len(images)]),
        PAIRS,
    )
    agreed = _agreement(encoder, decoder, predictor, pictures)
    value, spread = ratio(timed.theirs_cpu, timed.ours_cpu)
    extra = {
        "ours_cpu_ms_p50": percentile(timed.ours_cpu, 0.5),
        "ours_wall_ms_p50": percentile(timed.ours_wall, 0.5),
        "set_image_cpu_ms_p50": percentile(timed.theirs_cpu, 0.5),
        "set_image_wall_ms_p50": percentile(timed.theirs_wall, 0.5),
        "prompts": len(agreed),
    }
    gates = (
        Gate("mask_iou_mean", statistics.mean(agreed), MEAN_IOU),
        Gate("mask_iou_p5", percentile(agreed, 0.05), P5_IOU),
    )
    inputs = (model.name, *names(pictures))
    return [Row("encode.cpu_ratio", value, GOAL, "higher", "x", PAIRS, spread, gates, inputs, extra)], left_out


def _agreement(encoder: OnnxEncoder, decoder: OnnxDecoder, predictor: Any, pictures: Sequence[Ground]) -> list[float]:
    """Of clicks at random: IoU of the first mask from our embedding to that from `set_image`'s, by one decoder."""
    rng, found = np.random.default_rng(0), []
    for picture in pictures:
        predictor.set_image(Image.fromarray(picture.pixels))
        both = encoder.encode(picture.pixels), _kept(predictor)
        for click in rng.uniform(MARGIN, SIDE - MARGIN, (-(-PROMPTS // len(pictures)), 2)):
            found.append(iou(*(_mask(decoder, embedding, click) for embedding in both)))
    return found


def _kept(predictor: Any) -> Embedding:
    """What `set_image` has made, as our decoder takes it."""
    high_0, high_1 = (level[-1:].numpy() for level in predictor._features["high_res_feats"])
    return Embedding(predictor.get_image_embedding().numpy(), high_0, high_1)


def _mask(decoder: OnnxDecoder, embedding: Embedding, click: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return decoder.decode(embedding, PromptSet(click[None], np.array([1]))).candidates[0].logits > 0
