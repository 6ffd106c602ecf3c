"""The square encode windows over a raster: where they lie, and which one a set of prompts is decoded in."""

import math
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIZE = 1024
STRIDE = 896
SNAP = 64  # windows made for a click lie on a coarse grid, so that the next click finds the same one
WELL_INSIDE_PX = 96.0
COARSEST = 65_536  # a window of this side shows 64 px of the raster as one of the model's


@dataclass(frozen=True, order=True)
class Window:
    """A square of raster pixels: its first column and row, and its side. It may reach past a small raster."""

    col: int
    row: int
    size: int = SIZE


def plan_windows(width: int, height: int, size: int = SIZE, stride: int = STRIDE) -> tuple[Window, ...]:
    """The windows that cover a raster, row by row; the last row and column are moved inward.

    A raster smaller than a window gets one that reaches past it. Raises `ValueError` unless 0 < stride <= size.
    """
    return tuple(each_window(width, height, size, stride))


def each_window(width: int, height: int, size: int = SIZE, stride: int = STRIDE) -> Iterator[Window]:
    """The same, made one by one: a raster of a million pixels a side has more than a million."""
    if not 0 < stride <= size:
        raise ValueError(f"the stride must be 1 to {size} px, not {stride}")
    if width < 1 or height < 1:
        raise ValueError("a raster without pixels has no windows")
    columns = _starts(width, size, stride)
    return (Window(col, row, size) for row in _starts(height, size, stride) for col in columns)


def count_windows(width: int, height: int, size: int = SIZE, stride: int = STRIDE) -> int:
    """How many windows `plan_windows` gives, without making them."""
    return len(_starts(width, size, stride)) * len(_starts(height, size, stride))


def sizes(width: int, height: int) -> tuple[int, ...]:
    """The sides that windows of a raster may have, each twice the one before; the last one covers the raster.

    Larger windows are seen decimated to 1024 px: for objects that no window of full resolution holds.
    """
    found = [SIZE]
    while found[-1] < min(max(width, height), COARSEST):
        found.append(2 * found[-1])
    return tuple(found)


def is_window_of(window: Window, width: int, height: int) -> bool:
    """Whether a window is one that may be encoded: of a known size, and not past the raster but at its far sides."""
    within = 0 <= window.col <= max(0, width - window.size) and 0 <= window.row <= max(0, height - window.size)
    return within and window.size in sizes(width, height)


def stride_of(size: int) -> int:
    """How far planned windows of a size lie apart."""
    return size * STRIDE // SIZE


def size_for(prompts: npt.ArrayLike, width: int, height: int) -> int:
    """The least size of a window that holds all (N, 2) pixel coordinates together, or the largest there is."""
    points = np.asarray(prompts, dtype=np.float64).reshape(-1, 2)
    extent = float((points.max(axis=0) - points.min(axis=0)).max())
    offered = sizes(width, height)
    return next((size for size in offered if extent <= size), offered[-1])


def choose_window(
    prompts: npt.ArrayLike,
    width: int,
    height: int,
    *,
    size: int = SIZE,
    stride: int = STRIDE,
    ready: Container[Window] = (),
) -> Window:
    """The window for prompts at (N, 2) pixel coordinates: the planned one that holds them with most room around.

    A ready window is taken where the prompts lie well inside it. Prompts that no planned window holds together get
    one centred on them; prompts further apart than a window get the one centred on the first (`held_by` tells).
    """
    points = np.asarray(prompts, dtype=np.float64).reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    columns = [start for start in _starts(width, size, stride) if start <= low[0] and high[0] <= start + size]
    rows = [start for start in _starts(height, size, stride) if start <= low[1] and high[1] <= start + size]
    planned = [Window(col, row, size) for row in rows for col in columns]
    if not planned:
        if bool((np.ceil(high) - np.floor(low) <= size).all()):  # windows begin at whole pixels
            return _centred(low, high, width, height, size)
        return _centred(points[0], points[0], width, height, size)
    by_room = sorted(planned, key=lambda window: -_room(window, low, high, width, height))
    for window in by_room:
        if window in ready and _room(window, low, high, width, height) >= WELL_INSIDE_PX * size / SIZE:
            return window
    return by_room[0]


def held_by(window: Window, prompts: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which of (N, 2) pixel coordinates lie in the window or on its side."""
    points = np.asarray(prompts, dtype=np.float64).reshape(-1, 2)
    low = np.array([window.col, window.row])
    return np.asarray(((points >= low) & (points <= low + window.size)).all(axis=1))


def window_about(
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    goes_on: tuple[tuple[bool, bool], tuple[bool, bool]],
    width: int,
    height: int,
    size: int,
) -> Window:
    """The window for an object of which a box from `low` to `high` (col, row) is known, on the coarse grid.

    `goes_on` says for columns and rows whether it goes on below `low` and beyond `high`. Where it ends at one side
    only, that side lies 64 to 128 px of the model's inside, and the rest of the window is for what is not known yet;
    else the box is in the middle.
    """
    starts = []
    room = grid = SNAP * size // SIZE
    least, most = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    for axis, length in enumerate((width, height)):
        before, beyond = goes_on[axis]
        if before == beyond:
            start = round((least[axis] + most[axis] - size) / 2 / grid) * grid
        elif beyond:
            start = math.floor((least[axis] - room) / grid) * grid
        else:
            start = math.ceil((most[axis] + room - size) / grid) * grid
        starts.append(max(0, min(start, length - size)))
    return Window(starts[0], starts[1], size)


def room_around(window: Window, low: npt.ArrayLike, high: npt.ArrayLike, width: int, height: int) -> float:
    """The least distance in px from a box to a side of the window beyond which the raster goes on; inf without one."""
    return _room(window, np.asarray(low, np.float64), np.asarray(high, np.float64), width, height)


def _starts(length: int, size: int, stride: int) -> Sequence[int]:
    if length <= size:
        return [0]
    starts = list(range(0, length - size, stride))
    return [*starts, length - size]


def _room(
    window: Window, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], width: int, height: int
) -> float:
    """The least distance in px from the prompts to a side of the window beyond which the raster goes on."""
    sides = [
        low[0] - window.col if window.col > 0 else np.inf,
        low[1] - window.row if window.row > 0 else np.inf,
        window.col + window.size - high[0] if window.col + window.size < width else np.inf,
        window.row + window.size - high[1] if window.row + window.size < height else np.inf,
    ]
    return float(min(sides))


def _centred(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], width: int, height: int, size: int) -> Window:
    """The window on the coarse grid about the middle, moved off the grid where it would not hold both ends."""
    starts = []
    grid = SNAP * size // SIZE
    for least, most, length in zip(low, high, (width, height), strict=True):
        snapped = round(((least + most) / 2 - size / 2) / grid) * grid
        holding = min(max(snapped, math.ceil(most) - size), math.floor(least))
        starts.append(max(0, min(holding, length - size)))
    return Window(starts[0], starts[1], size)
