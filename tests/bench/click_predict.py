"""A click and a hover against `SAM2ImagePredictor.predict`: the same weights, pixels and prompts, in one process."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from rasterio.features import rasterize

from ml.decode import (
    ALL,
    WHOLE,
    Asked,
    Candidate,
    Decoded,
    OnnxDecoder,
    Parts,
    PromptSet,
    Seen,
    decode_nearby,
    parts_of,
)
from ml.embeddings import Embedding
from ml.encode import OnnxEncoder
from ml.models import load_model
from ml.vectorize import coarse_polygon, polygon_from_logits
from ml.windows import Window
from tests.bench.grounds import SIDE, Ground, names
from tests.bench.harness import Gate, Row, Timed, interleaved, percentile, ratio
from tests.bench.reference import NO_WEIGHTS, iou, reference
from tests.support import sam2_reference

LEAST_PAIRS = 60
CPU_GOAL = 5.0
IOU_BOUND = 0.97
HOVER_GOAL, HOVER_IOU_BOUND = 20.0, 0.90
HALF = SIDE / 2  # px: larger objects are no matter of a preview
Numbers = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]


def measure(grounds: Sequence[Ground]) -> tuple[list[Row], list[str]]:
    """The rows `click.cpu_ratio` and `hover.rate_ratio`; nothing, and why, where torch or the weights are missing."""
    if not sam2_reference.available():
        return [], [f"click.cpu_ratio, hover.rate_ratio: {sam2_reference.MISSING}"]
    found = reference()
    if found is None:
        return [], [f"click.cpu_ratio, hover.rate_ratio: {NO_WEIGHTS}"]
    import torch

    torch.set_num_threads(1)
    model = load_model(found.model)
    first = found.predictor()
    encoder, decoder = OnnxEncoder(model), OnnxDecoder(model, kept=len(grounds))
    scenes = [_Scene.of(ground, encoder, type(first)(first.model)) for ground in grounds]
    asked = [(scene, click) for scene in scenes for click in scene.ground.clicks]
    asked = [asked[turn] for turn in np.random.default_rng(0).permutation(len(asked))]
    inputs = (model.name, *names(grounds))
    stages, hovers = _Stages([], []), _Stages([], [])

    def predict(turn: int) -> None:
        _predict(*asked[turn % len(asked)])

    pairs = max(LEAST_PAIRS, len(asked))
    for scene in scenes:  # what is made once an image is no part of a click, as `set_image` is none of `predict`
        decoder.prepare(scene.embedding)
    click = interleaved(lambda turn: _click(decoder, *asked[turn % len(asked)], stages), predict, pairs)
    hover = interleaved(lambda turn: _hover(decoder, *asked[turn % len(asked)], hovers), predict, pairs)
    same = [_agreement(decoder, scene, place) for scene, place in asked]
    small = [one for one in same if one.longer <= HALF]
    gate = Gate("iou_to_predict", statistics.mean(one.shown for one in same), IOU_BOUND)
    hover_gate = Gate("iou_to_full", statistics.mean(one.hover for one in small) if small else 0.0, HOVER_IOU_BOUND)
    return [
        _row("click.cpu_ratio", CPU_GOAL, click, inputs, gate, {
            "prompts": len(asked),
            "iou_to_predict_p5": percentile([one.shown for one in same], 0.05),
            "iou_to_predict_all_candidates": statistics.mean(one.all for one in same),
            "outline_iou_to_predict_mean": statistics.mean(one.outline for one in same),
            "fields": "/".join(map(str, model.fields)), "far": model.far, "stability": model.stability,
            "precision": model.precision,
            **stages.told(),
        }),
        _row("hover.rate_ratio", HOVER_GOAL, hover, inputs, hover_gate, {
            "objects_below_half": len(small),
            "iou_to_full_p5": percentile([one.hover for one in small], 0.05) if small else 0.0,
            "fields": "/".join(map(str, model.hover_fields)), "far": model.hover_far,
            "stability": model.hover_stability, "precision": model.precision,
            "hovers_per_core_second": 1000 / statistics.mean(hover.ours_cpu),
            **hovers.told(),
        }),
    ], []  # fmt: skip


def _row(name: str, goal: float, timed: Timed, inputs: tuple[str, ...], gate: Gate, extra: dict[str, Any]) -> Row:
    value, spread = ratio(timed.theirs_cpu, timed.ours_cpu)
    sides = {"ours": (timed.ours_cpu, timed.ours_wall), "predict": (timed.theirs_cpu, timed.theirs_wall)}
    times = {
        f"{who}_{kind}_ms_p{share:.0f}": percentile(values, share / 100)
        for who, both in sides.items()
        for kind, values in zip(("cpu", "wall"), both, strict=True)
        for share in (50, 95)
    }
    means = {"ratio_of_means": statistics.mean(timed.theirs_cpu) / statistics.mean(timed.ours_cpu)}
    return Row(
        name, value, goal, "higher", "x", len(timed.ours_cpu), spread, (gate,), inputs, {**extra, **times, **means}
    )


@dataclass(frozen=True)
class _Stages:
    """Processor milliseconds of each decode and of each outline; the field of each answer, and how often it grew."""

    decode: list[float]
    outline: list[float]
    sides: list[int] = field(default_factory=list)
    grown: list[int] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """For the record."""
        return {
            "decode_cpu_ms_p50": percentile(self.decode, 0.5),
            "decode_cpu_ms_p95": percentile(self.decode, 0.95),
            "outline_cpu_ms_per_mask_p50": percentile(self.outline, 0.5),
            "outline_cpu_ms_per_mask_p95": percentile(self.outline, 0.95),
            "share_by_side": {str(side): self.sides.count(side) / len(self.sides) for side in sorted(set(self.sides))},
            "grown": sum(self.grown),
            "answers": len(self.grown),
        }


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


def _decode(decoder: OnnxDecoder, scene: _Scene, click: Numbers, parts: Parts) -> Decoded:
    return decode_nearby(decoder, scene.embedding, Asked(PromptSet(click[None], np.array([1])), parts=parts))


def _click(decoder: OnnxDecoder, scene: _Scene, click: Numbers, stages: _Stages) -> None:
    """What a click is to us: three masks, and the full outline of each."""
    began = time.process_time()
    decoded = _decode(decoder, scene, click, parts_of(decoder.model))
    _note(stages, decoded, began)
    for candidate in decoded.candidates:
        began = time.process_time()
        _outline(candidate, decoded, click)
        stages.outline.append((time.process_time() - began) * 1000)


def _hover(decoder: OnnxDecoder, scene: _Scene, click: Numbers, stages: _Stages) -> None:
    """What a hover is to us: the best mask and its coarse outline, as the product draws it."""
    began = time.process_time()
    decoded = _decode(decoder, scene, click, parts_of(decoder.model, hover=True))
    _note(stages, decoded, began)
    began = time.process_time()
    part = decoded.field.of(Window(0, 0))
    coarse_polygon(decoded.candidates[0].logits, part, width=SIDE, height=SIDE, points=[click])
    stages.outline.append((time.process_time() - began) * 1000)


def _note(stages: _Stages, decoded: Decoded, began: float) -> None:
    stages.decode.append((time.process_time() - began) * 1000)
    stages.sides.append(decoded.near.cols)
    stages.grown.append(decoded.grown)


def _outline(candidate: Candidate, decoded: Decoded, click: Numbers) -> Any:
    part = decoded.field.of(Window(0, 0))
    return polygon_from_logits(candidate.logits, part, width=SIDE, height=SIDE, points=[click])


def _predict(scene: _Scene, click: Numbers, several: bool = True) -> Masks:
    """The masks of `predict` (N, 1024, 1024). SAM counts the middles of pixels as whole numbers.

    The single mask is the decoder's own: `predict` would give the best of the several in its stead where it is not
    stable, which is another output.
    """
    coordinates, labels = click[None] - 0.5, np.array([1])
    scene.predictor.model.sam_mask_decoder.dynamic_multimask_via_stability = False
    masks, _, _ = scene.predictor.predict(point_coords=coordinates, point_labels=labels, multimask_output=several)
    return np.asarray(masks, dtype=np.bool_)


@dataclass(frozen=True)
class _Same:
    """IoU at 1024 px to `predict`'s mask of the same output: of the shown mask, the mean of all, and the outline.

    `hover` is that of the hover's mask to our own whole window's first; `longer` is the longer side of that one, px.
    """

    shown: float
    all: float
    outline: float
    hover: float
    longer: float


def _agreement(decoder: OnnxDecoder, scene: _Scene, click: Numbers) -> _Same:
    theirs = np.concatenate([_predict(scene, click, several=False), _predict(scene, click)])
    decoded = _decode(decoder, scene, click, parts_of(decoder.model))
    masks = [iou(_mask(one, decoded), theirs[one.index]) for one in decoded.candidates]
    shape = _outline(decoded.candidates[0], decoded, click)
    drawn = np.zeros((SIDE, SIDE), np.uint8) if shape is None else rasterize([shape], (SIDE, SIDE))
    hover = _decode(decoder, scene, click, parts_of(decoder.model, hover=True))
    full = _decode(decoder, scene, click, ALL)
    whole = _mask(full.candidates[0], full)
    extent = Seen(full.candidates[0].logits, full.field).extent() or (0.0, 0.0, 0.0, 0.0)
    return _Same(
        shown=masks[0],
        all=statistics.mean(masks),
        outline=iou(drawn > 0, theirs[decoded.candidates[0].index]),
        hover=iou(_mask(hover.candidates[0], hover), whole),
        longer=max(extent[2] - extent[0], extent[3] - extent[1]),
    )


def _mask(candidate: Candidate, decoded: Decoded) -> Masks:
    return np.asarray(_enlarged(Seen(candidate.logits, decoded.field).over(WHOLE)) > 0)


def _enlarged(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """As `predict` enlarges its own (SAM2Transforms.postprocess_masks)."""
    import torch

    whole = torch.from_numpy(np.ascontiguousarray(logits))[None, None]
    enlarged = torch.nn.functional.interpolate(whole, (SIDE, SIDE), mode="bilinear", align_corners=False)
    return np.asarray(enlarged[0, 0].numpy(), np.float32)
