"""Encoding a window against `SAM2ImagePredictor.set_image`: the same weights and pixels, by turns in one process."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ml.embeddings import Embedding
from ml.encode import OnnxEncoder
from ml.models import InstalledModel, load_model
from tests.bench.grounds import Ground, grounds, names
from tests.bench.harness import Gate, Row, interleaved, percentile, ratio
from tests.bench.reference import NO_WEIGHTS, reference
from tests.support import sam2_reference

PAIRS = 30
PROMPTS = 500
GOAL = 4.0
MEAN_IOU, P5_IOU = 0.98, 0.95
ROW, TINY_ROW = "encode.cpu_ratio", "encode.cpu_ratio.tiny"
TINY, SEED = "sam2.1_hiera_tiny", 1


def run() -> tuple[list[Row], list[str]]:
    """The rows for the installed model and for `tiny` with random weights; why not, where torch or weights lack."""
    if not sam2_reference.available():
        return [], [f"{name}: {sam2_reference.MISSING}" for name in (ROW, TINY_ROW)]
    import torch

    torch.set_num_threads(1)
    pictures, left_out = grounds()
    rows = []
    found = reference()
    if found is None:
        left_out.append(f"{ROW}: {NO_WEIGHTS}")
    else:
        rows.append(_row(ROW, load_model(found.model), found.predictor(), pictures))
    with tempfile.TemporaryDirectory() as folder:
        model, torch_model = random_tiny(Path(folder, TINY))
        from ml.export.reference import predictor_of

        rows.append(_row(TINY_ROW, model, predictor_of(torch_model), pictures))
    return rows, left_out


def random_tiny(folder: Path) -> tuple[InstalledModel, Any]:
    """`tiny` as a checkpoint is installed and tuned, of random weights: what time it takes does not depend on them."""
    import torch

    from ml.export.folder import Card, write_folder
    from ml.export.quick_choice import choose_quick_encoder
    from ml.export.weights import build

    torch.manual_seed(SEED)
    torch_model = build(TINY).eval()
    write_folder(torch_model, folder, Card(f"{TINY}, random weights", TINY, ""), eight_bits=False)
    choose_quick_encoder(folder, torch_model, turns=1)
    return load_model(folder), torch_model


def _row(name: str, model: InstalledModel, predictor: Any, pictures: Sequence[Ground]) -> Row:
    """One model: its encoder as a worker opens it, beside `set_image`, and how far masks from both agree."""
    from ml.export.quick_choice import Reference

    encoder = OnnxEncoder(model)
    pixels = [picture.pixels for picture in pictures]
    images = [Image.fromarray(one) for one in pixels]
    timed = interleaved(
        lambda turn: encoder.encode(pixels[turn % len(pixels)]),
        lambda turn: predictor.set_image(images[turn % len(images)]),
        PAIRS,
    )
    agreed = Reference.of(model, lambda one: _kept(predictor, one), pixels, PROMPTS).compare(encoder)
    value, spread = ratio(timed.theirs_cpu, timed.ours_cpu)
    extra = {
        "encoder": model.encoder_quick.path.name if model.encoder_quick else "as exported",
        "ours_cpu_ms_p50": percentile(timed.ours_cpu, 0.5),
        "ours_wall_ms_p50": percentile(timed.ours_wall, 0.5),
        "set_image_cpu_ms_p50": percentile(timed.theirs_cpu, 0.5),
        "set_image_wall_ms_p50": percentile(timed.theirs_wall, 0.5),
        "feature_rms": agreed["feature_rms"],
        "prompts": agreed["prompts"],
    }
    gates = (
        Gate("mask_iou_mean", agreed["mask_iou_mean"], MEAN_IOU),
        Gate("mask_iou_p5", agreed["mask_iou_p5"], P5_IOU),
    )
    return Row(name, value, GOAL, "higher", "x", PAIRS, spread, gates, (model.name, *names(pictures)), extra)


def _kept(predictor: Any, pixels: Any) -> Embedding:
    """What `set_image` makes, as our decoder takes it."""
    predictor.set_image(Image.fromarray(pixels))
    high_0, high_1 = (level[-1:].numpy() for level in predictor._features["high_res_feats"])
    return Embedding(predictor.get_image_embedding().numpy(), high_0, high_1)
