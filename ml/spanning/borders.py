"""Where an object leaves its window: cells at a side beyond which the raster goes on."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ml.spanning.parts import Part
from ml.windows import Window

LEAST_CELLS = 2  # a run of fewer cells along a side is dust
BEYOND_CELLS = 0.5  # where the object would be next: half a cell outside

Places = npt.NDArray[np.float64]


def exits(part: Part, width: int, height: int, settled: Iterable[Window] = ()) -> list[Places]:
    """Places (N, 2) in raster pixels just outside the window where the object goes on, one array a run of cells.

    Left out are places in `settled` windows, which have been looked at already. The longest run comes first.
    """
    window, cell = part.window, part.cell
    far_col, far_row = window.col + window.size, window.row + window.size
    centres = (np.arange(len(part.object)) + 0.5) * cell
    out = BEYOND_CELLS * cell
    sides = [
        (window.row > 0, part.object[0], window.col + centres, np.full(len(centres), window.row - out)),
        (far_row < height, part.object[-1], window.col + centres, np.full(len(centres), far_row + out)),
        (window.col > 0, part.object[:, 0], np.full(len(centres), window.col - out), window.row + centres),
        (far_col < width, part.object[:, -1], np.full(len(centres), far_col + out), window.row + centres),
    ]
    settled = list(settled)
    found = []
    for goes_on, there, x, y in sides:
        if not goes_on:
            continue
        open_here = there.copy()
        for other in settled:
            open_here &= ~(
                (x >= other.col) & (x <= other.col + other.size) & (y >= other.row) & (y <= other.row + other.size)
            )
        runs = np.split(np.arange(len(centres)), np.flatnonzero(open_here[1:] != open_here[:-1]) + 1)
        found += [np.column_stack([x[run], y[run]]) for run in runs if open_here[run[0]] and len(run) >= LEAST_CELLS]
    return sorted(found, key=len, reverse=True)


def sides_left(parts: Iterable[Part], width: int, height: int) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
    """For columns and rows whether the object, as far as it is known, goes on below its least and beyond its most."""
    parts = list(parts)
    windows = [part.window for part in parts]
    places = [place for part in parts for place in exits(part, width, height, set(windows) - {part.window})]
    if not places:
        return (False, False), (False, False)
    at = np.concatenate(places)
    left, top = min(window.col for window in windows), min(window.row for window in windows)
    right = max(window.col + window.size for window in windows)
    low = max(window.row + window.size for window in windows)
    return (
        (bool((at[:, 0] < left).any()), bool((at[:, 0] > right).any())),
        (bool((at[:, 1] < top).any()), bool((at[:, 1] > low).any())),
    )
