"""Which tokens of a window the decoder looks at: a part of it one by one, the rest, if at all, in squares."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.windows import Window

GRID = 64  # tokens a side of a whole window
CELL = 4  # cells of the logits a token each way
CELLS = CELL * GRID

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Field:
    """A part of a window in tokens of 16 px: its first column and row, columns and rows."""

    col: int = 0
    row: int = 0
    cols: int = GRID
    rows: int = GRID

    def __post_init__(self) -> None:
        inside = 0 <= self.col < self.col + self.cols <= GRID and 0 <= self.row < self.row + self.rows <= GRID
        if not inside:
            raise ValueError(f"a field lies within {GRID} x {GRID} tokens, not {self}")

    def holds(self, other: "Field") -> bool:
        """Whether another field lies within this one."""
        return (
            self.col <= other.col
            and self.row <= other.row
            and other.col + other.cols <= self.col + self.cols
            and other.row + other.rows <= self.row + self.rows
        )

    def of(self, window: Window) -> Window:
        """The raster's pixels that a square field of a window covers; the window's side is a multiple of 64."""
        token = window.size // GRID
        return Window(window.col + token * self.col, window.row + token * self.row, token * self.cols)

    def spans(self, each: int = 1) -> tuple[slice, slice]:
        """Its rows and columns in what has `each` entries a token each way over the whole window."""
        return (
            slice(each * self.row, each * (self.row + self.rows)),
            slice(each * self.col, each * (self.col + self.cols)),
        )


WHOLE = Field()


@dataclass(frozen=True)
class Look:
    """`near` is looked at token by token, and the rest of the window in squares of `far` x `far` tokens, or, with 0,
    not at all. Masks are drawn over `shown`, a part of `near`; over all of it where that is None.

    Raises `ValueError` for a `near` that is no union of such squares, or a `shown` outside of it.
    """

    near: Field = WHOLE
    far: int = 0
    shown: Field | None = None

    def __post_init__(self) -> None:
        if self.near == WHOLE:
            object.__setattr__(self, "far", 0)
        if self.shown is None:
            object.__setattr__(self, "shown", self.near)
        sides = (self.near.col, self.near.row, self.near.cols, self.near.rows)
        if self.far and (GRID % self.far or any(side % self.far for side in sides)):
            raise ValueError(f"squares of {self.far} tokens do not fit around {self.near}")
        if not self.near.holds(self.drawn):
            raise ValueError(f"{self.shown} does not lie within {self.near}")

    @property
    def drawn(self) -> Field:
        """The part of the window that masks are given over."""
        return self.shown or self.near


class Tokens:
    """The tokens of a look: those of `near` row by row, then the squares of the rest.

    `counts` (n,) is how many of the window's tokens each stands for; `shown` (rows, cols) are the numbers of the drawn;
    `near` and `far` the numbers of the window's tokens, and of its squares, that they are.
    """

    def __init__(self, look: Look) -> None:
        self.near = _numbers(look.near, WHOLE).ravel()
        self.far = _around(look.near, look.far) if look.far else np.zeros(0, np.int64)
        ones = np.ones(len(self.near), np.float32)
        self.counts: Floats = np.concatenate([ones, np.full(len(self.far), look.far**2, np.float32)])
        self.shown = _numbers(look.drawn, look.near)

    def of(self, array: Floats, squares: Floats | None, axis: int = -2) -> Floats:
        """A window's array, whose axis runs over its tokens, and its squares, to those of the look."""
        near = np.take(array, self.near, axis)
        return near if squares is None else np.concatenate([near, np.take(squares, self.far, axis)], axis)


def _around(near: Field, far: int) -> npt.NDArray[np.int64]:
    """The numbers of a window's squares that do not lie in a field."""
    outside = np.ones((GRID // far, GRID // far), bool)
    outside[near.row // far : (near.row + near.rows) // far, near.col // far : (near.col + near.cols) // far] = False
    return np.flatnonzero(outside)


def _numbers(part: Field, of: Field) -> npt.NDArray[np.int64]:
    """The numbers (rows, cols) of a part's tokens among those of a field that holds it, counted row by row."""
    rows = np.arange(part.row, part.row + part.rows) - of.row
    cols = np.arange(part.col, part.col + part.cols) - of.col
    return np.ascontiguousarray(rows[:, None] * of.cols + cols)


def squares_of(grid: Floats, side: int) -> Floats:
    """(..., h, w, c) to the means (..., h / side, w / side, c) of its squares."""
    parts = [grid[..., row::side, col::side, :] for row in range(side) for col in range(side)]
    found = np.array(parts[0], np.float32)
    for part in parts[1:]:  # a fifth of the time that a mean over two axes takes
        found += part
    return found / np.float32(side**2)
