"""Which part of a window is decoded: the rule that begins small around the prompts and grows while the mask is cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from ml.decode.look import CELL, CELLS, GRID, WHOLE, Field
from ml.decode.prompts import STABILITY_OFFSET, PromptSet, stability
from ml.vectorize.trace import MIN_PART_SHARE

TOKEN = 16.0  # px of the model's frame a token
SIDES = (16, 32, GRID)  # tokens a side that a model may be asked for
MARGIN = 3.0  # tokens between the prompts and a field's side
MASK_MARGIN = 2.0  # tokens between the last mask and a field's side
BOX_ROOM = 1.5  # sides of a box that a field has at least: what lies around it tells where the object ends
VIEW_SHARE = 0.25  # of the view's shorter side: people zoom until an object is large enough to be clicked, not larger
SNAP = 4  # tokens: fields of neighbouring clicks are the same, so that they are cut once
EDGE = 2  # cells of the logits from a field's side within which a mask may go on beyond it

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Extent = tuple[float, float, float, float]  # x_min, y_min, x_max, y_max


@dataclass(frozen=True)
class Parts:
    """How much of a window is decoded: `sides` in tokens of the parts looked at closely, rising, the whole last.

    Around a part the window is looked at in squares of `far` x `far` tokens, or not at all (0). A part's mask is
    believed only where its stability score is at least `stability`; else the whole window is looked at.
    """

    sides: tuple[int, ...] = (GRID,)
    far: int = 0
    stability: float = 0.0


ALL = Parts()


@dataclass(frozen=True, eq=False)
class Seen:
    """The logits (4 rows, 4 cols) of an answer over the field that it was decoded in."""

    logits: Floats
    field: Field = WHOLE

    def over(self, field: Field) -> Floats:
        """The logits over another field; what was not decoded is as far from the mask as the field's rim was."""
        if field == self.field:
            return self.logits
        rim = np.concatenate([self.logits[0], self.logits[-1], self.logits[:, 0], self.logits[:, -1]])
        beyond = min(float(rim.mean()), 0.0)
        window = np.full((CELLS, CELLS), beyond, np.float32)
        window[self.field.spans(CELL)] = self.logits
        return np.ascontiguousarray(window[field.spans(CELL)])

    @cached_property
    def inside(self) -> Mask:
        """The mask (4 rows, 4 cols) without its dust: the parts that no outline keeps."""
        count, parts, stats, _ = cv2.connectedComponentsWithStats((self.logits > 0).astype(np.uint8), connectivity=8)
        if count <= 2:
            return np.asarray(parts > 0)
        areas = stats[:, cv2.CC_STAT_AREA]
        kept = areas >= MIN_PART_SHARE * areas[1:].max()
        kept[0] = False
        return np.asarray(kept[parts])

    def stability(self) -> float:
        """SAM's stability score of the mask without its dust; 1 where there is no mask."""
        count, parts = cv2.connectedComponents((self.logits > -STABILITY_OFFSET).astype(np.uint8), connectivity=8)
        kept = np.zeros(count, bool)
        kept[parts[self.inside]] = True
        return stability(np.where(kept[parts], self.logits, np.float32(-np.inf)))

    def extent(self) -> Extent | None:
        """The bounds of the mask without its dust in the model's frame; None where there is no mask."""
        inside = self.inside
        rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if not len(rows):
            return None
        cell, left, top = TOKEN / CELL, TOKEN * self.field.col, TOKEN * self.field.row
        return (
            float(left + cell * cols[0]),
            float(top + cell * rows[0]),
            float(left + cell * (cols[-1] + 1)),
            float(top + cell * (rows[-1] + 1)),
        )

    def is_cut(self) -> bool:
        """Whether more of the mask than dust reaches a side of the field beyond which the window goes on."""
        inside, field = self.inside, self.field
        return bool(
            (field.row > 0 and inside[:EDGE].any())
            or (field.col > 0 and inside[:, :EDGE].any())
            or (field.row + field.rows < GRID and inside[-EDGE:].any())
            or (field.col + field.cols < GRID and inside[:, -EDGE:].any())
        )


def first_field(
    prompts: PromptSet,
    sides: Sequence[int] = SIDES,
    *,
    far: int = 0,
    last: Seen | None = None,
    view_px: float | None = None,
) -> Field:
    """The smallest of the fields that holds the prompts, a box with what lies around it, and the last mask, with room.

    `sides` are tokens, rising, the last one the whole window's; squares of `far` x `far` tokens fit around the field.
    `view_px` is the shorter side of what the user looks at, in px of the model's frame: who looks from far above clicks
    on larger things.
    """
    around = _around(prompts)
    wanted = max(_longer(around) + 2 * MARGIN * TOKEN, VIEW_SHARE * view_px if view_px else 0.0)
    if prompts.box is not None:
        wanted = max(wanted, BOX_ROOM * _longer(prompts.box))
    mask = last.extent() if last is not None else None
    if mask is not None:
        around = _together(around, mask)
        wanted = max(wanted, _longer(around) + 2 * MASK_MARGIN * TOKEN)
    return _placed(around, wanted, sides, far)


def grown(found: Seen, near: Field, prompts: PromptSet, parts: Parts) -> Field | None:
    """The next larger field than `near`, about the mask and the prompts, for a mask that was cut; the whole window for
    one that is not stable; None where neither is so."""
    larger = [side for side in parts.sides if side > near.cols]
    if not larger:
        return None
    if found.is_cut():
        mask = found.extent()
        around = _around(prompts) if mask is None else _together(_around(prompts), mask)
        return _placed(around, 0.0, larger, parts.far)
    return WHOLE if found.stability() < parts.stability else None


def tokens_of(prompts: PromptSet, near: Field) -> Field:
    """The tokens of a field that the prompts lie in or between."""
    x_min, y_min, x_max, y_max = (int(at // TOKEN) for at in _around(prompts))
    left, right = np.clip((x_min, x_max), near.col, near.col + near.cols - 1).tolist()
    top, bottom = np.clip((y_min, y_max), near.row, near.row + near.rows - 1).tolist()
    return Field(left, top, right - left + 1, bottom - top + 1)


def _placed(around: Extent, wanted: float, sides: Sequence[int], far: int = 0) -> Field:
    """The field of the first side that is long enough, its middle where that of `around` is, within the window."""
    snap = max(SNAP, far)
    for side in sides:
        if side >= GRID:
            break
        col, row = (
            int(np.clip(round(((low + high) / 2 / TOKEN - side / 2) / snap) * snap, 0, GRID - side))
            for low, high in ((around[0], around[2]), (around[1], around[3]))
        )
        field = Field(col, row, side, side)
        if TOKEN * side >= wanted and _holds(field, around):
            return field
    return WHOLE


def _holds(field: Field, around: Extent) -> bool:
    """Whether it lies in the field, a token from each side beyond which the window goes on."""
    return all(
        (first == 0 or low >= TOKEN * (first + 1)) and (first + count == GRID or high <= TOKEN * (first + count - 1))
        for first, count, low, high in (
            (field.col, field.cols, around[0], around[2]),
            (field.row, field.rows, around[1], around[3]),
        )
    )


def _around(prompts: PromptSet) -> Extent:
    """The bounds of all points and the box."""
    corners = [prompts.points]
    if prompts.box is not None:
        corners.append(np.reshape(prompts.box, (2, 2)))
    places = np.concatenate(corners)
    (x_min, y_min), (x_max, y_max) = places.min(axis=0), places.max(axis=0)
    return float(x_min), float(y_min), float(x_max), float(y_max)


def _together(one: Extent, other: Extent) -> Extent:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _longer(extent: Extent) -> float:
    return max(extent[2] - extent[0], extent[3] - extent[1])
