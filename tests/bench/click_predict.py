"""A click against `SAM2ImagePredictor.predict`: the same weights, pixels and prompts, by turns in one process."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from rasterio.features import rasterize

from ml.decode import Decoded, OnnxDecoder, PromptSet
from ml.embeddings import Embedding
from ml.encode import OnnxEncoder
from ml.models import load_model
from ml.vectorize import polygon_from_logits
from ml.windows import Window
from tests.bench.grounds import SIDE, Ground, names
from tests.bench.harness import Gate, Row, interleaved, percentile, ratio
from tests.bench.reference import NO_WEIGHTS, iou, reference
from tests.support import sam2_reference

LEAST_PAIRS = 60
CPU_GOAL = 5.0
IOU_BOUND = 0.97
# The interim model's ONNX file adds one more padding point to all prompts but boxes than predict does (its MODEL.md);
# predict is given one too, so that both run the same network on the same tokens.
EXTRA_PADDING = {"nano-interim": 1}
Numbers = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]


def measure(grounds: Sequence[Ground]) -> tuple[list[Row], list[str]]:
    """The row `click.cpu_ratio`; nothing, and why, where torch or the weights are not there."""
    if not sam2_reference.available():
        return [], [f"click.cpu_ratio: {sam2_reference.MISSING}"]
    found = reference()
    if found is None:
        return [], [f"click.cpu_ratio: {NO_WEIGHTS}"]
    import torch

    torch.set_num_threads(1)
    model = load_model(found.model)
    first = found.predictor()
    encoder, decoder = OnnxEncoder(model), OnnxDecoder(model)
    scenes = [_Scene.of(ground, encoder, type(first)(first.model)) for ground in grounds]
    asked = [(scene, click) for scene in scenes for click in scene.ground.clicks]
    asked = [asked[turn] for turn in np.random.default_rng(0).permutation(len(asked))]
    extra = EXTRA_PADDING.get(model.name, 0)
    stages = _Stages([], [])

    def ours(turn: int) -> None:
        scene, click = asked[turn % len(asked)]
        _outlines(decoder, scene, click, stages if turn >= 0 else None)

    def theirs(turn: int) -> None:
        scene, click = asked[turn % len(asked)]
        _predict(scene, click, extra)

    timed = interleaved(ours, theirs, max(LEAST_PAIRS, len(asked)))
    same = [_agreement(decoder, scene, click, extra) for scene, click in asked]
    agreed = [iou for iou, _ in same]
    value, spread = ratio(timed.theirs_cpu, timed.ours_cpu)
    row = Row(
        name="click.cpu_ratio",
        value=value,
        goal=CPU_GOAL,
        better="higher",
        unit="x",
        n=len(timed.ours_cpu),
        spread=spread,
        inputs=(model.name, *names(grounds)),
        gates=(Gate("iou_to_predict", statistics.mean(agreed), IOU_BOUND),),
        extra={
            "prompts": len(asked),
            "iou_to_predict_p5": percentile(agreed, 0.05),
            "outline_iou_to_predict_mean": statistics.mean(iou for _, iou in same),
            "ours_cpu_ms_p50": percentile(timed.ours_cpu, 0.5),
            "ours_cpu_ms_p95": percentile(timed.ours_cpu, 0.95),
            "ours_wall_ms_p50": percentile(timed.ours_wall, 0.5),
            "ours_wall_ms_p95": percentile(timed.ours_wall, 0.95),
            "predict_cpu_ms_p50": percentile(timed.theirs_cpu, 0.5),
            "predict_cpu_ms_p95": percentile(timed.theirs_cpu, 0.95),
            "predict_wall_ms_p50": percentile(timed.theirs_wall, 0.5),
            "predict_wall_ms_p95": percentile(timed.theirs_wall, 0.95),
            "decode_cpu_ms_p50": percentile(stages.decode, 0.5),
            "decode_cpu_ms_p95": percentile(stages.decode, 0.95),
            "outline_cpu_ms_per_mask_p50": percentile(stages.outline, 0.5),
            "outline_cpu_ms_per_mask_p95": percentile(stages.outline, 0.95),
        },
    )
    return [row], []


@dataclass(frozen=True)
class _Stages:
    """Processor milliseconds of each decode, and of each outline."""

    decode: list[float]
    outline: list[float]


@dataclass(frozen=True, eq=False)
class _Scene:
    """One picture as each side keeps it between clicks."""

    ground: Ground
    embedding: Embedding
    predictor: Any

    @classmethod
    def of(cls, ground: Ground, encoder: OnnxEncoder, predictor: Any) -> "_Scene":
        predictor.set_image(Image.fromarray(ground.pixels))
        return cls(ground, encoder.encode(ground.pixels), predictor)


def _decode(decoder: OnnxDecoder, scene: _Scene, click: Numbers) -> Decoded:
    return decoder.decode(scene.embedding, PromptSet(click[None], np.array([1])))


def _outlines(decoder: OnnxDecoder, scene: _Scene, click: Numbers, stages: _Stages | None) -> None:
    """What a click is to us: three masks, and the full outline of each."""
    began = time.process_time()
    decoded = _decode(decoder, scene, click)
    if stages:
        stages.decode.append((time.process_time() - began) * 1000)
    for candidate in decoded.candidates:
        began = time.process_time()
        _outline(candidate.logits, click)
        if stages:
            stages.outline.append((time.process_time() - began) * 1000)


def _outline(logits: npt.NDArray[np.float32], click: Numbers) -> Any:
    return polygon_from_logits(logits, Window(0, 0), width=SIDE, height=SIDE, points=[click])


def _predict(scene: _Scene, click: Numbers, extra: int, several: bool = True) -> Masks:
    """The masks of `predict` (N, 1024, 1024). SAM counts the middles of pixels as whole numbers."""
    coordinates = np.vstack([click[None] - 0.5, np.zeros((extra, 2))])
    labels = np.array([1] + [-1] * extra)
    masks, _, _ = scene.predictor.predict(point_coords=coordinates, point_labels=labels, multimask_output=several)
    return np.asarray(masks, dtype=np.bool_)


def _agreement(decoder: OnnxDecoder, scene: _Scene, click: Numbers, extra: int) -> tuple[float, float]:
    """IoU to `predict`'s mask of the same output at 1024 px: of our masks, their mean, and of the first's outline."""
    theirs = np.concatenate([_predict(scene, click, extra, several=False), _predict(scene, click, extra)])
    candidates = _decode(decoder, scene, click).candidates
    masks = [iou(_enlarged(candidate.logits) > 0, theirs[candidate.index]) for candidate in candidates]
    shape = _outline(candidates[0].logits, click)
    drawn = np.zeros((SIDE, SIDE), np.uint8) if shape is None else rasterize([shape], (SIDE, SIDE))
    return statistics.mean(masks), iou(drawn > 0, theirs[candidates[0].index])


def _enlarged(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """As `predict` enlarges its own (SAM2Transforms.postprocess_masks)."""
    import torch

    whole = torch.from_numpy(np.ascontiguousarray(logits))[None, None]
    enlarged = torch.nn.functional.interpolate(whole, (SIDE, SIDE), mode="bilinear", align_corners=False)
    return np.asarray(enlarged[0, 0].numpy(), np.float32)
