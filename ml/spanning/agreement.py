"""Whether what another window shows is the same object, and where that window is asked for it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.spanning.masks import Mask, depth, reached, spread_out, widened
from ml.spanning.parts import Floats, Mosaic, Part, resampled
from ml.windows import Window

MOST_CARRIED = 3
APART_SHARE = 0.25  # of a window, between places that are carried
CELLS = 256  # of the logits of one window


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of an object on the grid of another window: which cells were seen, and which of them it is."""

    seen: Mask
    object: Mask


def known_in(mosaic: Mosaic, window: Window) -> Known:
    """What a mosaic says about the cells of a window."""
    seen, there = np.zeros((CELLS, CELLS), dtype=bool), np.zeros((CELLS, CELLS), dtype=bool)
    covered, rows, cols = resampled(mosaic.seen, mosaic.frame, window, CELLS)
    seen[rows, cols] = covered > 0.999
    there[rows, cols] = resampled(mosaic.object, mosaic.frame, window, CELLS)[0] > 0.5
    return Known(seen, there & seen)


def places_in(known: Known, window: Window) -> npt.NDArray[np.float64]:
    """At most three places (N, 2) in raster pixels well inside what is known of the object, far from each other."""
    cells = spread_out(depth(known.object), MOST_CARRIED, APART_SHARE * CELLS)
    at = np.array([(col + 0.5, row + 0.5) for row, col in cells], np.float64).reshape(-1, 2)
    return at * (window.size / CELLS) + (window.col, window.row)


def best_part(window: Window, offered: Sequence[Floats], known: Known, least: float) -> Part | None:
    """The candidate that agrees best with what is known, if it does so by at least `least`; else None.

    It is the part of its mask that hangs together with what is known. Logits of the rest are turned to no.
    """
    ranked = []
    for logits in offered:
        mask = logits > 0
        ranked.append((agreement(mask, known), logits, mask))
    if not ranked:
        return None
    most, logits, mask = max(ranked, key=lambda entry: entry[0])
    if most < least:
        return None
    object_here = reached(mask, widened(known.object))
    return Part(window, np.where(mask & ~object_here, -np.abs(logits), logits), object_here)


def agreement(mask: Mask, known: Known) -> float:
    """The lesser of two shares, 0 to 1: of the known object that the mask has, and of the mask that is known object.

    Only cells that were seen before count, and of the mask only what hangs together there with the known object. A
    cell's width is forgiven, for thin objects have not much more.
    """
    there = mask & known.seen
    near = reached(there, known.object)
    if not known.object.any() or not near.any():
        return 0.0
    had = np.count_nonzero(known.object & widened(near)) / np.count_nonzero(known.object)
    right = np.count_nonzero(near & widened(known.object)) / np.count_nonzero(near)
    return float(min(had, right))
