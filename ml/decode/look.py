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

    def numbers(self) -> npt.NDArray[np.int64]:
        """The numbers (2, rows, cols) of its tokens, counted row by row: among its own, and among the window's."""
        rows, cols = np.arange(self.rows)[:, None], np.arange(self.cols)
        return np.stack([rows * self.cols + cols, (self.row + rows) * GRID + self.col + cols])

    def marked_in(self, other: "Field") -> Floats:
        """1 for each token (rows, cols) of another field that lies in this one, 0 for the rest."""
        found = np.zeros((GRID, GRID), np.float32)
        found[self.spans()] = 1
        return np.ascontiguousarray(found[other.spans()])

    def part(self, row: int, col: int, rows: int, cols: int) -> "Field":
        """A part of this field, told by its own rows and columns."""
        return Field(self.col + col, self.row + row, cols, rows)

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
    not at all. Of `near` the square is drawn that holds all masks and `least`; all of it where that is None.

    Raises `ValueError` for a `near` that is no union of such squares, or a `least` outside of it.
    """

    near: Field = WHOLE
    far: int = 0
    least: Field | None = None

    def __post_init__(self) -> None:
        if self.near == WHOLE:
            object.__setattr__(self, "far", 0)
        sides = (self.near.col, self.near.row, self.near.cols, self.near.rows)
        if self.far and (GRID % self.far or any(side % self.far for side in sides)):
            raise ValueError(f"squares of {self.far} tokens do not fit around {self.near}")
        if self.least is not None and not self.near.holds(self.least):
            raise ValueError(f"{self.least} does not lie within {self.near}")


class Tokens:
    """The tokens of a look: those of `near` row by row, then the squares of the rest.

    `counts` (n,) is how many of the window's tokens each stands for; `far` the numbers of the window's squares.
    """

    def __init__(self, look: Look) -> None:
        self.near = look.near
        self.far = _around(look.near, look.far) if look.far else np.zeros(0, np.int64)
        ones = np.ones(look.near.cols * look.near.rows, np.float32)
        self.counts: Floats = np.concatenate([ones, np.full(len(self.far), look.far**2, np.float32)])

    def of(self, array: Floats, squares: Floats | None) -> Floats:
        """A window's array (..., 4096, c) and its squares, to the tokens of the look."""
        field, channels = self.near, array.shape[-1]
        found = np.empty((*array.shape[:-2], len(self.counts), channels), np.float32)
        near, far = np.split(found, [field.cols * field.rows], axis=-2)
        grid = array.reshape(*array.shape[:-2], GRID, GRID, channels)
        near.reshape(*near.shape[:-2], field.rows, field.cols, channels)[...] = grid[(..., *field.spans(), slice(None))]
        if squares is not None:
            np.take(squares, self.far, axis=-2, out=far, mode="clip")
        return found


def _around(near: Field, far: int) -> npt.NDArray[np.int64]:
    """The numbers of a window's squares that do not lie in a field."""
    outside = np.ones((GRID // far, GRID // far), bool)
    outside[near.row // far : (near.row + near.rows) // far, near.col // far : (near.col + near.cols) // far] = False
    return np.flatnonzero(outside)


def squares_of(grid: Floats, side: int) -> Floats:
    """(..., h, w, c) to the means (..., h / side, w / side, c) of its squares."""
    parts = [grid[..., row::side, col::side, :] for row in range(side) for col in range(side)]
    found = np.array(parts[0], np.float32)
    for part in parts[1:]:  # a fifth of the time that a mean over two axes takes
        found += part
    return found / np.float32(side**2)
