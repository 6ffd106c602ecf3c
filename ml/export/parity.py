"""Proves that an installed model answers as Meta's own code does with the same weights, from uint8 pixels on."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ml.decode import Field, Look, OnnxDecoder
from ml.embeddings import Embedding
from ml.embeddings.features import SHAPES
from ml.encode.onnx_encoder import OnnxEncoder, prepare
from ml.export.differences import Floats, Parity
from ml.export.graphs import ImageEncoder
from ml.export.memory_parity import compare_memory
from ml.export.pictures import picture
from ml.export.reference import predictor_of
from ml.models.installed import InstalledModel

PROMPT_SETS = 200
MOST_POINTS = 6
FRAME = 1024
EDGE = (700, 301)  # rows and columns of a window that reaches past its raster
SCORE_BOUND = 1e-4  # predicted IoU, 0..1
FIELDS = (Field(0, 0, 16, 16), Field(24, 40, 32, 16), Field(48, 0, 16, 64), Field(17, 9, 32, 32))


@dataclass(frozen=True, eq=False)
class Prompts:
    """One random prompt set as SAM2ImagePredictor.predict takes it, pixels of a 1024 x 1024 image."""

    points: Floats
    labels: npt.NDArray[np.int32]
    box: Floats | None
    mask: Floats | None


def compare(
    installed: InstalledModel,
    model: Any,
    *,
    prompt_sets: int = PROMPT_SETS,
    seed: int = 0,
    threads: int = 1,
    tell: Callable[[int], None] = lambda _: None,
) -> Parity:
    """Compares an installed model with the torch model it was made of; `tell` hears how many prompt sets are done."""
    pixels = picture(seed)
    predictor = predictor_of(model)
    encoder, decoder = OnnxEncoder(installed, threads, exact=True), OnnxDecoder(installed, threads)
    found = Parity(installed.name)
    with torch_threads(threads):
        predictor.set_image(pixels)
        _compare_input(found, predictor, installed, pixels)
        embedding = encoder.encode(pixels)
        reference = _embedding_of(predictor)
        for name in SHAPES:
            found.note(f"encoder, {name} against set_image", getattr(embedding, name), getattr(reference, name))
        _compare_prompts(found, predictor, decoder, embedding, asked=prompts(prompt_sets, seed), tell=tell)
        padded = _compare_padded(found, predictor, encoder, pixels)
        if installed.encoder_quick is not None:
            _compare_quick(found, installed, threads, {"": (pixels, embedding), " at a raster's edge": padded})
        compare_fields(found, model, decoder, reference, seed)
        if installed.memory_attention is not None:
            compare_memory(found, installed, model, threads=threads, seed=seed)
    return found


@torch.inference_mode()
def compare_fields(found: Parity, model: Any, decoder: OnnxDecoder, features: Embedding, seed: int = 0) -> None:
    """Batches of sets of several lengths, whole and cut to a field, against SAM2Base's prompt encoder and decoder."""
    if decoder.model.prepare is None:
        return
    rng = np.random.default_rng(seed + 1)
    logits, single, scores, present = [], [], [], []
    for cut in (Field(), *FIELDS):
        points = rng.uniform(0, FRAME, (3, 4, 2)).astype(np.float32)
        labels = np.array([[1, -2, -2, -2], [2, 3, 0, -2], [1, 0, 1, 1]], np.float32)
        mask = np.clip(rng.normal(0, 8, (3, 1, 256, 256)), -32, 32).astype(np.float32)
        answers = decoder.answer(features, points, labels, mask, Look(cut))
        for row in range(3):
            there = labels[row] > -2
            asked = {"points": points[row : row + 1, there], "labels": labels[row : row + 1, there], "mask": mask[row]}
            wanted, rated, is_there = _base(model, features, cut, **asked)
            logits.append((answers.masks[row, 1:], wanted[0, 1:]))
            single.append((answers.masks[row, :1], wanted[0, :1]))
            scores.append((answers.scores[row], rated[0]))
            present.append((answers.present[row], is_there[0]))
    for what, pairs in (("logits of three masks", logits), ("logits of the single mask", single)):
        ours, theirs = (np.concatenate([one[side].ravel() for one in pairs]) for side in (0, 1))
        found.note(f"{what} against SAM2Base, windows and fields", ours, theirs, compared=len(pairs))
    found.note_scores("predicted IoU against SAM2Base", scores, SCORE_BOUND)
    ours, theirs = (np.array([one[side] for one in present]) for side in (0, 1))
    found.note("object score against SAM2Base", ours, theirs, compared=len(present))


def prompts(count: int, seed: int) -> Iterator[Prompts]:
    """Random prompt sets: 1 to 6 points, boxes with and without points, half of them with a mask."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        low = rng.uniform(0, 800, 2)
        box = np.concatenate([low, low + rng.uniform(8, 224, 2)]).astype(np.float32) if number % 3 == 0 else None
        least = 0 if box is not None else 1
        points = rng.uniform(0, FRAME, (rng.integers(least, MOST_POINTS + 1), 2)).astype(np.float32)
        labels = rng.integers(0, 2, len(points)).astype(np.int32)
        blocks = np.clip(rng.normal(0, 8, (1, 32, 32)), -32, 32).astype(np.float32)  # as `predict` gives masks back
        mask = blocks.repeat(8, 1).repeat(8, 2) if number % 2 else None
        yield Prompts(points, labels, box, mask)


def _compare_input(found: Parity, predictor: Any, installed: InstalledModel, pixels: npt.NDArray[np.uint8]) -> None:
    theirs = predictor._transforms(pixels)[None].numpy()
    found.note("input, from uint8 pixels", prepare(pixels, installed), theirs)


@torch.inference_mode()
def _compare_padded(
    found: Parity, predictor: Any, encoder: OnnxEncoder, pixels: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint8], Embedding]:
    """A window at a raster's edge, from uint8 pixels on: what lies beyond is the mean colour, 0 once normalised.

    `set_image` has no such windows, it would stretch the picture; it is given the same from its own transform on.
    """
    small = np.ascontiguousarray(pixels[: EDGE[0], : EDGE[1]])
    theirs = torch.zeros(1, 3, FRAME, FRAME)
    theirs[:, :, : EDGE[0], : EDGE[1]] = predictor._transforms(pixels)[None, :, : EDGE[0], : EDGE[1]]
    found.note("input at a raster's edge, from uint8 pixels", prepare(small, encoder.model), theirs.numpy())
    ours, reference = encoder.encode(small), ImageEncoder(predictor.model)(theirs)
    for name, one in zip(SHAPES, reference, strict=True):
        found.note(f"encoder at a raster's edge, {name}", getattr(ours, name), one.numpy())
    return small, ours


def _compare_quick(
    found: Parity,
    installed: InstalledModel,
    threads: int,
    windows: Mapping[str, tuple[npt.NDArray[np.uint8], Embedding]],
) -> None:
    """The quick encoder's embeddings against the exported one's, root mean square: in eight bits single ones differ."""
    quick = OnnxEncoder(installed, threads)
    for where, (pixels, theirs) in windows.items():
        ours = quick.encode(pixels)
        for name in SHAPES:
            what = f"quick encoder{where}, {name}, root mean square"
            found.note_mean(what, getattr(ours, name), getattr(theirs, name), bound=installed.quick_tolerance)


def _compare_prompts(
    found: Parity,
    predictor: Any,
    decoder: OnnxDecoder,
    embedding: Embedding,
    *,
    asked: Iterator[Prompts],
    tell: Callable[[int], None],
) -> None:
    """From pixels to logits: our encoder and decoder against `predict`.

    It is told that the image was 256 px wide, and given the prompts in those pixels, so that it has no masks to
    enlarge; a quarter is exact in binary, and the logits are those of 1024 px.
    """
    predictor._orig_hw = [(FRAME // 4, FRAME // 4)]
    logits, scores = [], []
    for number, one in enumerate(asked, 1):
        coordinates, labels = _tokens(one)
        mask = None if one.mask is None else one.mask[None]
        answers = decoder.answer(embedding, coordinates, labels, mask)
        _, rated, wanted = predictor.predict(
            one.points / 4 if len(one.points) else None,
            one.labels if len(one.points) else None,
            box=None if one.box is None else one.box / 4,
            mask_input=one.mask,
            multimask_output=True,
            return_logits=True,
        )
        logits.append((np.clip(answers.masks[0, 1:], -32, 32), wanted))
        scores.append((answers.scores[0, 1:], rated))
        tell(number)
    ours, theirs = (np.stack([one[side] for one in logits]) for side in (0, 1))
    found.note("logits of three masks against predict", ours, theirs, compared=len(logits))
    found.note_scores("predicted IoU against predict", scores, SCORE_BOUND)


def _base(
    model: Any, features: Embedding, cut: Field, *, points: Floats, labels: Floats, mask: Floats
) -> tuple[Floats, Floats, Floats]:
    """Masks, predicted IoU and object score of one prompt set over a field, from SAM2Base's own modules."""
    prompt_encoder = model.sam_prompt_encoder
    sparse, dense = prompt_encoder(
        points=(torch.from_numpy(points), torch.from_numpy(labels)),
        boxes=None,
        masks=_cut(torch.from_numpy(mask)[None], cut, 4),
    )
    maps = [torch.from_numpy(getattr(features, name)) for name in SHAPES]
    embed, fine, middle = (_cut(one, cut, scale) for one, scale in zip(maps, (1, 4, 2), strict=True))
    place = _cut(prompt_encoder.get_dense_pe(), cut, 1)
    masks, scores, _, present = model.sam_mask_decoder.predict_masks(
        image_embeddings=embed,
        image_pe=place,
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        repeat_image=False,
        high_res_features=[fine, middle],
    )
    return masks.numpy(), scores.numpy(), present.numpy()


def _cut(one: torch.Tensor, cut: Field, scale: int) -> torch.Tensor:
    return one[(..., *cut.spans(scale))]


def _tokens(one: Prompts) -> tuple[Floats, Floats]:
    coordinates, labels = one.points, one.labels.astype(np.float32)
    if one.box is not None:
        coordinates = np.concatenate([one.box.reshape(2, 2), coordinates])
        labels = np.concatenate([np.array([2, 3], np.float32), labels])
    return coordinates[None], labels[None]


def _embedding_of(predictor: Any) -> Embedding:
    features = predictor._features
    return Embedding(features["image_embed"].numpy(), *(one.numpy() for one in features["high_res_feats"]))


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
