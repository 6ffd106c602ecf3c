"""What is asked of boolean masks (rows, columns): what hangs together, how deep inside a cell lies, one cell more."""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def reached(mask: Mask, seeds: Mask) -> Mask:
    """The cells of a mask that hang together with a seed, by sides.

    What is reached spreads along whole rows and whole columns in turn, so a mask takes as many rounds as it has bends.
    """
    rows, cols = _runs(mask), _runs(mask.T)
    found = mask & seeds
    count = -1
    while count != (count := int(np.count_nonzero(found))):
        found = _along(found, rows)
        found = _along(found.T, cols).T
    return found


def depth(mask: Mask, most: int = 64) -> npt.NDArray[np.int64]:
    """How many steps by sides a cell lies from what is not the mask, 0 outside it; beyond the array nothing is."""
    inner, found = mask, mask.astype(np.int64)
    for _ in range(most - 1):
        wide = np.pad(inner, 1)
        inner = inner & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
        if not inner.any():
            break
        found += inner
    return found


def widened(mask: Mask) -> Mask:
    """The mask and all cells next to it, by sides and corners."""
    wide = np.pad(mask, 1)
    across = wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]
    return np.asarray(across[:-2] | across[1:-1] | across[2:])


def spread_out(depths: npt.NDArray[np.int64], most: int, apart: float) -> list[tuple[int, int]]:
    """At most so many cells (row, column), the deepest first, each at least so many cells from those before.

    None is less than half as deep as the first.
    """
    found: list[tuple[int, int]] = []
    left = np.where(2 * depths >= depths.max(initial=0), depths, 0)
    rows, cols = np.indices(depths.shape)
    while len(found) < most and left.any():
        row, col = np.unravel_index(int(left.argmax()), left.shape)
        found.append((int(row), int(col)))
        left[(rows - row) ** 2 + (cols - col) ** 2 < apart**2] = 0
    return found


def _runs(mask: Mask) -> npt.NDArray[np.int64]:
    """For each cell of the mask the number of the run along its row, from 1; 0 outside."""
    starts = mask.copy()
    starts[:, 1:] &= ~mask[:, :-1]
    return np.where(mask, np.cumsum(starts).reshape(mask.shape), 0)


def _along(found: Mask, runs: npt.NDArray[np.int64]) -> Mask:
    """All cells of the runs of which one is found."""
    hit = np.zeros(int(runs.max(initial=0)) + 1, dtype=bool)
    hit[runs[found]] = True
    hit[0] = False
    return np.asarray(hit[runs])
