"""How well a mask fits the truth."""

import cv2
import numpy as np

from ml.quality.pictures import Mask

BOUNDARY_SHARE = 0.02  # of the picture's diagonal: Cheng et al., "Boundary IoU" (2021), section 5


def iou(found: Mask, truth: Mask) -> float:
    """Area in common over area together, 0..1; two empty masks are alike."""
    either = int((found | truth).sum())
    return int((found & truth).sum()) / either if either else 1.0


def boundary_iou(found: Mask, truth: Mask, diagonal: float) -> float:
    """IoU of the two bands that lie within the masks along their outlines, 2 % of the diagonal wide."""
    width = max(1, round(BOUNDARY_SHARE * diagonal))
    return iou(_band(found, width), _band(truth, width))


def clicks_needed(overlaps: tuple[float, ...], wanted: float, most: int) -> int:
    """The number of clicks after which the wanted IoU was first reached; `most` when it never was."""
    for number, overlap in enumerate(overlaps, 1):
        if overlap >= wanted:
            return number
    return most


def _band(mask: Mask, width: int) -> Mask:
    padded = np.pad(mask.astype(np.uint8), 1)  # the picture's side is an outline too
    inner = np.asarray(cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width))[1:-1, 1:-1]
    band: Mask = mask & (inner == 0)
    return band
