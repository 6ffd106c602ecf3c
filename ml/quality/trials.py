"""Asks a model for each object of a picture: with a box, with centre clicks, with jittered clicks."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ml.decode import ALL, WHOLE, Asked, OnnxDecoder, Parts, PromptSet, Seen, decode_nearby
from ml.embeddings.features import Embedding
from ml.encode import Encoder
from ml.quality.clicks import next_click
from ml.quality.measures import boundary_iou, iou
from ml.quality.pictures import Mask, Picture

MOST_CLICKS = 20  # as in the literature on interactive segmentation
LEAST_CLICKS = 5  # the table has the mean after each of so many
GOOD = 0.9  # from here on nothing more is asked


Click = tuple[tuple[float, float], int]


@dataclass(frozen=True, eq=False)
class Trial:
    """One object: IoU after each centre click and each jittered click, and with a box.

    From 5 clicks on a row ends when 0.9 was reached. `boundary` is the boundary IoU after the first centre click,
    `box_boundary` that with the box. `first` is the mask after the first centre click; `clicks` are the centre clicks.
    """

    picture: Picture
    truth: Mask
    centre: tuple[float, ...]
    jittered: tuple[float, ...]
    box: float
    boundary: float
    box_boundary: float
    first: Mask
    clicks: tuple[Click, ...]


def try_picture(
    encoder: Encoder, decoder: OnnxDecoder, picture: Picture, most: int = MOST_CLICKS, *, whole: bool = False
) -> list[Trial]:
    """Every object of a picture, asked for as Edgewise asks: the first candidate counts, and goes back if fed back.

    What is looked at closely are the parts of the window that the model's manifest names; with `whole` all of it.
    """
    if not picture.objects:
        return []
    embedding = encoder.encode(picture.pixels)
    parts = ALL if whole else None
    return [
        _Asker(decoder, embedding, truth, parts).trial(picture, seed, most)
        for seed, truth in enumerate(picture.objects)
    ]


def box_of(mask: Mask) -> tuple[float, float, float, float]:
    """The tight box, edge convention."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(cols[0]), float(rows[0]), float(cols[-1] + 1), float(rows[-1] + 1)


def seen_mask(logits: npt.NDArray[np.float32], shape: tuple[int, ...]) -> Mask:
    """Logits (256, 256) of the frame as a mask of the picture, which lies in its upper left."""
    full = np.asarray(cv2.resize(logits, (1024, 1024), interpolation=cv2.INTER_LINEAR))
    return np.asarray(full[: shape[0], : shape[1]] > 0)


@dataclass(frozen=True, eq=False)
class _Asker:
    """Asks for one object."""

    decoder: OnnxDecoder
    embedding: Embedding
    truth: Mask
    parts: Parts | None

    def trial(self, picture: Picture, seed: int, most: int) -> Trial:
        centre, first, clicks = self._clicked(None, most)
        jittered, _, _ = self._clicked(np.random.default_rng(seed), most)
        boxed = self._best(PromptSet(np.zeros((0, 2)), np.zeros(0, np.int64), box_of(self.truth)), None)
        found = self._mask(boxed)
        return Trial(
            picture=picture,
            truth=self.truth,
            centre=centre,
            jittered=jittered,
            box=iou(found, self.truth),
            boundary=boundary_iou(first, self.truth, picture.diagonal),
            box_boundary=boundary_iou(found, self.truth, picture.diagonal),
            first=first,
            clicks=clicks,
        )

    def _clicked(
        self, random: np.random.Generator | None, most: int
    ) -> tuple[tuple[float, ...], Mask, tuple[Click, ...]]:
        """IoU after each click, the mask after the first, and the clicks."""
        clicks: list[Click] = []
        overlaps: list[float] = []
        found = np.zeros(self.truth.shape, bool)
        first = found
        previous: Seen | None = None
        while len(overlaps) < most and not (len(overlaps) >= LEAST_CLICKS and max(overlaps) >= GOOD):
            click = next_click(found, self.truth, random)
            if click is None:  # perfect, and stays so
                overlaps += [1.0] * (LEAST_CLICKS - len(overlaps))
                break
            clicks.append(click)
            points = np.array([place for place, _ in clicks], np.float64)
            asked = PromptSet(points, np.array([label for _, label in clicks], np.int64))
            previous = self._best(asked, previous)
            found = self._mask(previous)
            overlaps.append(iou(found, self.truth))
            if len(clicks) == 1:
                first = found
        return tuple(overlaps), first, tuple(clicks)

    def _best(self, asked: PromptSet, last: Seen | None) -> Seen:
        found = decode_nearby(self.decoder, self.embedding, Asked(asked, last, parts=self.parts))
        return Seen(found.candidates[0].logits, found.field)

    def _mask(self, seen: Seen) -> Mask:
        return seen_mask(seen.over(WHOLE), self.truth.shape)
