"""A decoder whose answers are known: it draws a true shape as a window shows it, and keeps what was clicked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from ml.spanning import Ground, Grown, grow
from ml.spanning.masks import reached
from ml.vectorize import polygon_from_logits
from ml.windows import Window, choose_window, stride_of

CELLS, FINER = 256, 4


@dataclass
class TrueDecoder:
    """Logits rise from -8 to 8 with the share of a cell that the shape covers; only clicked pieces are answered.

    `encoded` says which windows may be looked at; `spoil` changes the shape that a window shows.
    """

    truth: BaseGeometry
    encoded: Callable[[Window], bool] = lambda window: True
    spoil: Callable[[Window, BaseGeometry], BaseGeometry] = lambda window, truth: truth
    asked: list[tuple[Window, npt.NDArray[np.float64], npt.NDArray[np.int64]]] = field(default_factory=list)

    def __call__(self, window: Window, points: Any, labels: Any) -> Sequence[npt.NDArray[np.float32]] | None:
        """See `Look`."""
        self.asked.append((window, points, labels))
        if not self.encoded(window):
            return None
        scale = window.size / CELLS / FINER
        fine = rasterize(
            [(self.spoil(window, self.truth), 1)],
            (CELLS * FINER, CELLS * FINER),
            transform=Affine(scale, 0, window.col, 0, scale, window.row),
            dtype="uint8",
        )
        share = fine.reshape(CELLS, FINER, CELLS, FINER).mean(axis=(1, 3))
        seeds = np.zeros((CELLS, CELLS), bool)
        at = ((points[labels == 1] - (window.col, window.row)) / window.size * CELLS).astype(int)
        seeds[at[:, 1], at[:, 0]] = True
        kept = reached(share > 0, seeds)
        return [np.where(kept, 16 * share - 8, -8).astype(np.float32)]

    @property
    def windows(self) -> list[Window]:
        """The windows that were asked, in order."""
        return [window for window, _, _ in self.asked]


def clicked(
    decoder: TrueDecoder, width: int, height: int, *points: tuple[float, float], **how: Any
) -> tuple[Grown, BaseGeometry]:
    """What positive clicks give, and its outline in raster pixels."""
    at = np.array(points, np.float64)
    size = how.pop("size", 1024)
    window = choose_window(at[:1], width, height, size=size, stride=stride_of(size), ready=how.get("ready", ()))
    labels = np.ones(len(at), np.int64)
    within = ((at >= (window.col, window.row)) & (at <= (window.col + size, window.row + size))).all(axis=1)
    first = decoder(window, at[within], labels[within])
    assert first is not None, "the first window is encoded"
    grown = grow(window, first[0], Ground(width, height, at, labels, decoder, **how))
    outline = polygon_from_logits(grown.logits, grown.frame, width=width, height=height, points=at)
    assert outline is not None
    return grown, outline


def iou(one: BaseGeometry, other: BaseGeometry) -> float:
    """Intersection over union."""
    return float(shapely.area(shapely.intersection(one, other)) / shapely.area(shapely.union(one, other)))
