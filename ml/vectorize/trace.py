"""Traces mask logits at sub-pixel accuracy: their outline as rings, and which of the rings are worth keeping."""

import math
from dataclasses import dataclass, replace
from typing import Any

import contourpy
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from ml.vectorize.placing import Placing

MIN_PART_PX2 = 4.0
MIN_PART_SHARE = 0.05  # of the largest part
MIN_HOLE_PX2 = 4.0
MIN_HOLE_SHARE = 0.002  # of its part
COARSEST = 32  # cells a side
NOWHERE = -32.0  # as sure a no as SAM's own feedback can be

Floats = npt.NDArray[np.float64]
Kept = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Contour:
    """Closed rings in raster pixels: `points` (N, 2), ring i from `starts[i]` to `starts[i + 1]`.

    `parts[k]` is the outer ring of part k, the rings up to `parts[k + 1]` are its holes. `areas` (rings,) in px2.
    `clicked` (parts,) says which parts hold one of the positive prompts. `placing` is that of the cells traced.
    """

    points: Floats
    starts: npt.NDArray[np.int64]
    parts: npt.NDArray[np.int64]
    areas: Floats
    clicked: Kept
    placing: Placing

    @property
    def part_of(self) -> npt.NDArray[np.int64]:
        """For each ring the part it is of."""
        return np.repeat(np.arange(len(self.parts) - 1), np.diff(self.parts))

    def worth_keeping(self) -> Kept:
        """The rings of parts that were clicked or are a twentieth of the largest, but for specks and pinholes."""
        outer = self.parts[:-1]
        areas = self.areas[outer]
        kept_parts = (areas >= MIN_PART_PX2) & ((areas >= MIN_PART_SHARE * areas.max()) | self.clicked)
        kept = self.areas >= np.maximum(MIN_HOLE_PX2, MIN_HOLE_SHARE * areas)[self.part_of]
        kept[outer] = True
        kept &= kept_parts[self.part_of]
        return kept

    def of_size(self, least_part: float, least_hole: float) -> Kept:
        """The parts and holes of at least an area in px2; the largest part and those that were clicked always are."""
        outer = self.parts[:-1]
        part_stays = (self.areas[outer] >= least_part) | self.clicked
        part_stays[self.areas[outer].argmax()] = True
        stays = (self.areas >= least_hole) & part_stays[self.part_of]
        stays[outer] = part_stays
        return stays

    def drawn(self, kept: Kept) -> BaseGeometry:
        """The kept rings as one geometry; a part is there when its outer ring is kept."""
        lengths = np.diff(self.starts)
        counts = np.add.reduceat(kept.astype(np.int64), self.parts[:-1])
        polygons = shapely.from_ragged_array(
            shapely.GeometryType.POLYGON,
            self.points[np.repeat(kept, lengths)],
            (np.r_[0, np.cumsum(lengths[kept])], np.r_[0, np.cumsum(counts[counts > 0])]),
        )
        return polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)


def contour_of(
    logits: npt.NDArray[np.float32], placing: Placing, points: npt.ArrayLike = (), calm_above: int | None = None
) -> Contour | None:
    """The outline of logits (h, w) above 0, as the cells show it; None where there is no mask.

    `points` (N, 2), raster pixels, are the positive prompts. A mask of more than `calm_above` raw vertices is
    calmed first, by halving its grid. What lies beyond the raster is not traced, but for one cell, to be cut off.
    """
    known = _within_raster(logits, placing)
    far = placing.far_corner(logits.shape)
    if calm_above is not None:
        known, placing = _calmed(known, placing, calm_above)
    return _traced(known, placing, np.asarray(points, dtype=np.float64).reshape(-1, 2), far)


def _within_raster(logits: npt.NDArray[np.float32], placing: Placing) -> Floats:
    """The logits with nothing beyond the raster, where the field is padding; one cell more, to be cut off later."""
    known = logits.astype(np.float64)
    across, down = placing.cell
    cols = math.ceil((placing.width - placing.col) / across) + 1
    rows = math.ceil((placing.height - placing.row) / down) + 1
    known[max(rows, 0) :] = NOWHERE
    known[:, max(cols, 0) :] = NOWHERE
    return known


def _calmed(logits: Floats, placing: Placing, most: int) -> tuple[Floats, Placing]:
    """Logits whose outline has at most so many vertices before it is simplified: pairs of cells become their mean."""
    while min(logits.shape) > COARSEST and _crossings(logits) > most:
        rows, cols = logits.shape
        even = np.pad(logits, ((0, rows % 2), (0, cols % 2)), mode="edge")
        logits = halved(even)
        placing = replace(placing, cell=(placing.cell[0] * 2, placing.cell[1] * 2))
    return logits, placing


def halved(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The means of 2 x 2 cells of (2h, 2w), in a fifth of the time that a mean over two axes takes."""
    found: npt.NDArray[Any] = logits[::2, ::2] + logits[::2, 1::2] + logits[1::2, ::2] + logits[1::2, 1::2]
    return found / 4


def _crossings(logits: Floats) -> int:
    """How many vertices the outline has: one between each two neighbouring cells of which one is inside."""
    inside = logits > 0
    return int(np.count_nonzero(inside[1:] != inside[:-1]) + np.count_nonzero(inside[:, 1:] != inside[:, :-1]))


def _traced(logits: Floats, placing: Placing, clicks: Floats, far: tuple[float, float]) -> Contour | None:
    """Each outline with its holes. A mask at the field's side is closed along that side, which ends at `far`."""
    inside = logits > 0
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return None
    top, left = max(rows[0] - 1, 0), max(cols[0] - 1, 0)  # one cell around the mask, to end it
    padded = np.pad(logits[top : rows[-1] + 2, left : cols[-1] + 2], 1, mode="edge")
    generator = contourpy.contour_generator(z=padded, fill_type=contourpy.FillType.ChunkCombinedOffsetOffset)
    filled: Any = generator.filled(0.0, np.inf)
    (vertices,), (starts,), (parts,) = filled
    if vertices is None:
        return None
    # Index i of the padded grid is the centre of cell i - 1, which lies at (i - 1 + 0.5) cells.
    origin = np.array([left - 0.5, top - 0.5])
    near = (placing.col, placing.row)
    points = np.clip((vertices + origin) * placing.cell + near, near, far)
    starts, parts = starts.astype(np.int64), parts.astype(np.int64)
    areas = _areas(points, starts)
    return Contour(points, starts, parts, areas, _parts_at(points, starts, parts, areas, clicks), placing)


def _areas(points: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """The shoelace formula, from each ring's first vertex so that large coordinates lose no digits."""
    x, y = (points - np.repeat(points[starts[:-1]], np.diff(starts), axis=0)).T
    cross = np.zeros(len(points))
    cross[:-1] = x[:-1] * y[1:] - x[1:] * y[:-1]
    cross[starts[1:] - 1] = 0.0  # from the last vertex of a ring no edge leads to the next ring
    found: Floats = np.abs(np.add.reduceat(cross, starts[:-1])) / 2
    return found


def _parts_at(
    vertices: Floats, starts: npt.NDArray[np.int64], parts: npt.NDArray[np.int64], areas: Floats, points: Floats
) -> Kept:
    """For each part whether one of the points (N, 2) lies in it, and in none of its holes."""
    outer = parts[:-1]
    found = np.zeros(len(outer), dtype=bool)
    if not len(points):
        return found
    low = np.minimum.reduceat(vertices, starts[:-1])[outer]
    high = np.maximum.reduceat(vertices, starts[:-1])[outer]
    within = np.all((points[None] >= low[:, None]) & (points[None] <= high[:, None]), axis=2)
    for part in np.flatnonzero(np.any(within, axis=1) & (areas[outer] >= MIN_PART_PX2)):
        lines = [vertices[starts[i] : starts[i + 1]] for i in range(parts[part], parts[part + 1])]
        found[part] = bool(_inside(lines, points).any())
    return found


def _inside(lines: list[Floats], points: Floats) -> Kept:
    """For each point (N, 2) whether a ray to its right crosses the closed lines an odd number of times."""
    a, b = np.concatenate([line[:-1] for line in lines]), np.concatenate([line[1:] for line in lines])
    x, y = points[:, :1], points[:, 1:]
    spans = (a[:, 1] > y) != (b[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        crosses = (b[:, 0] - a[:, 0]) * (y - a[:, 1]) / (b[:, 1] - a[:, 1]) + a[:, 0]
    return np.asarray(np.sum(spans & (x < crosses), axis=1) % 2 == 1)
