"""Where a patient person would click next."""

import cv2
import numpy as np
import numpy.typing as npt

from ml.quality.pictures import Mask

DEEP = 0.5  # a jittered click lies anywhere at least this share of the way to the middle


def next_click(
    found: Mask, truth: Mask, random: np.random.Generator | None = None
) -> tuple[tuple[float, float], int] | None:
    """The place (x, y), edge convention, and label of the next click; None when nothing is wrong.

    It lies where what is missing, or what is wrongly found, is widest, as in Sofiiuk et al., "Reviving Iterative
    Training with Mask Guidance" (2021), section 3. With `random` it is jittered: anywhere in that same part of the
    error that is at least half as deep.
    """
    missing, wrong = _depth(truth & ~found), _depth(found & ~truth)
    is_missing = missing.max() >= wrong.max()
    depth = missing if is_missing else wrong
    if depth.max() == 0:
        return None
    row, col = np.unravel_index(int(depth.argmax()), depth.shape)
    if random is not None:
        _, parts = cv2.connectedComponents((depth > 0).astype(np.uint8), connectivity=4)
        rows, cols = np.nonzero((parts == parts[row, col]) & (depth >= DEEP * depth.max()))
        at = int(random.integers(len(rows)))
        row, col = rows[at], cols[at]
    return (float(col) + 0.5, float(row) + 0.5), int(is_missing)


def _depth(mask: Mask) -> npt.NDArray[np.float32]:
    """Each pixel's distance to the outside; what lies beyond the picture is outside."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))[1:-1, 1:-1]
