"""Logits of several windows as one: resampled from grid to grid, and blended where windows overlap."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.spanning.masks import Mask, reached
from ml.windows import Window

NOWHERE = -32.0  # as sure a no as SAM's own feedback can be
BLOCK = 32  # a mosaic has a multiple of so many cells a side, so that its grid can be halved when it is traced

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Part:
    """What one window shows of an object: its logits (n, n) and which of their cells are the object."""

    window: Window
    logits: Floats
    object: Mask

    @property
    def cell(self) -> float:
        """The side of a cell of the logits in raster pixels."""
        return self.window.size / len(self.logits)

    def shows(self, place: npt.NDArray[np.float64]) -> bool:
        """Whether the object is at a place of the window, in raster pixels, or in a cell next to it."""
        origin = (self.window.col, self.window.row)
        col, row = np.clip(((place - origin) / self.cell).astype(np.int64), 0, len(self.object) - 1)
        return bool(self.object[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2].any())


@dataclass(frozen=True, eq=False)
class Mosaic:
    """Logits (m, m) over `frame`, a square of raster pixels; which cells a window has seen, which are the object."""

    frame: Window
    logits: Floats
    seen: Mask
    object: Mask


def joined(parts: tuple[Part, ...], width: int, height: int) -> Mosaic:
    """The parts over one grid of their cells; all are of one cell size.

    Where windows overlap their logits are averaged, each counting less towards the sides beyond which the raster
    goes on: there it knows least, and so no seam is left. What no window has seen is not the object.
    """
    first = parts[0]
    if len(parts) == 1:
        return Mosaic(first.window, first.logits, np.ones(first.logits.shape, dtype=bool), first.object)
    col, row = min(part.window.col for part in parts), min(part.window.row for part in parts)
    right = max(part.window.col + part.window.size for part in parts)
    low = max(part.window.row + part.window.size for part in parts)
    cells = int(np.ceil(max(right - col, low - row) / first.cell / BLOCK)) * BLOCK
    frame = Window(col, row, round(cells * first.cell))
    total, weight = np.zeros((cells, cells)), np.zeros((cells, cells))
    seeds = np.zeros((cells, cells), dtype=bool)
    for part in parts:
        values, rows, cols = resampled(part.logits, part.window, frame, cells)
        share = _trust(part, frame, rows, cols, extent=(width, height))
        total[rows, cols] += share * values
        weight[rows, cols] += share
        seeds[rows, cols] |= resampled(part.object, part.window, frame, cells)[0] > 0.5
    seen = weight > 0
    logits = np.full((cells, cells), NOWHERE, np.float32)
    logits[seen] = total[seen] / weight[seen]
    return Mosaic(frame, logits, seen, reached(logits > 0, seeds))


def resampled(
    values: npt.NDArray[np.generic], place: Window, target: Window, cells: int
) -> tuple[npt.NDArray[np.float64], slice, slice]:
    """Values (n, n) over `place`, bilinearly, at those of the `cells` x `cells` cells of `target` that lie in it.

    With the rows and columns of the target that they are for.
    """
    rows, at_rows = _within(place.row, place.size, target.row, target.size / cells, cells)
    cols, at_cols = _within(place.col, place.size, target.col, target.size / cells, cells)
    down = _interpolated(np.asarray(values, np.float64), at_rows / place.size * len(values))
    across = _interpolated(down.T, at_cols / place.size * values.shape[1]).T
    return across, rows, cols


def _within(start: int, size: int, target_start: int, cell: float, cells: int) -> tuple[slice, npt.NDArray[np.float64]]:
    """Which cells of the target have their centre in a stretch of pixels, and where in it, in pixels."""
    at = np.asarray(target_start + (np.arange(cells) + 0.5) * cell - start, np.float64)
    inside = np.flatnonzero((at >= 0) & (at <= size))
    if not len(inside):
        return slice(0, 0), at[:0]
    return slice(int(inside[0]), int(inside[-1]) + 1), at[inside]


def _interpolated(values: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The rows of (n, m) values at places counted in cells from the first one's edge; constant beyond the centres."""
    where = np.clip(at - 0.5, 0, len(values) - 1)
    low = np.floor(where).astype(np.int64)
    high = np.minimum(low + 1, len(values) - 1)
    share = (where - low)[:, None]
    return np.asarray(values[low] * (1 - share) + values[high] * share)


def _trust(part: Part, frame: Window, rows: slice, cols: slice, *, extent: tuple[int, int]) -> npt.NDArray[np.float64]:
    """How much each cell counts: up to an eighth of the window in from a side, as far as it lies from that side."""
    window, cell = part.window, part.cell
    x = frame.col + (np.arange(cols.start, cols.stop) + 0.5) * cell
    y = frame.row + (np.arange(rows.start, rows.stop) + 0.5) * cell
    across = _from_sides(x, window.col, window.size, extent[0])
    down = _from_sides(y, window.row, window.size, extent[1])
    return np.minimum(down[:, None], across[None, :])


def _from_sides(at: npt.NDArray[np.float64], start: int, size: int, length: int) -> npt.NDArray[np.float64]:
    """From 0.001 at a side beyond which the raster goes on, to 1."""
    before = at - start if start > 0 else np.full(len(at), np.inf)
    beyond = start + size - at if start + size < length else np.full(len(at), np.inf)
    return np.clip(np.minimum(before, beyond) / (size / 8), 0.001, 1.0)
