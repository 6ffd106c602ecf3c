"""What is made of an embedding once, before any prompt: kept for the few windows that are being worked on."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ml.embeddings.features import Embedding
from ml.windows import Window

GRID = 64  # tokens a side of a whole window


@dataclass(frozen=True)
class Field:
    """The part of a window that is decoded, in tokens of 16 px: its first column and row, columns and rows."""

    col: int = 0
    row: int = 0
    cols: int = GRID
    rows: int = GRID

    def __post_init__(self) -> None:
        inside = 0 <= self.col < self.col + self.cols <= GRID and 0 <= self.row < self.row + self.rows <= GRID
        if not inside:
            raise ValueError(f"a field lies within {GRID} x {GRID} tokens, not {self}")

    def of(self, window: Window) -> Window:
        """The raster's pixels that a square field of a window covers; the window's side is a multiple of 64."""
        token = window.size // GRID
        return Window(window.col + token * self.col, window.row + token * self.row, token * self.cols)


WHOLE = Field()


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the decoder takes of an image of h x w tokens, float32, by the names of its inputs.

    `image` and `places` (1, hw, 256), `keys` (1, 8, 16, hw), `values` and `queries` (1, 8, hw, 16), `fine`
    (1, 16hw, 32) and `middle` (1, 4hw, 64).
    """

    image: npt.NDArray[np.float32]
    places: npt.NDArray[np.float32]
    keys: npt.NDArray[np.float32]
    values: npt.NDArray[np.float32]
    queries: npt.NDArray[np.float32]
    fine: npt.NDArray[np.float32]
    middle: npt.NDArray[np.float32]

    def inputs(self, field: Field = WHOLE) -> dict[str, npt.NDArray[np.float32]]:
        """The decoder's inputs for a field of a whole window; its places stay those of the window."""
        arrays = {one.name: getattr(self, one.name) for one in fields(self)}
        if field == WHOLE:
            return arrays
        return {
            name: _cut(array, field, axis=3 if name == "keys" else array.ndim - 2) for name, array in arrays.items()
        }


def _cut(array: npt.NDArray[np.float32], field: Field, axis: int) -> npt.NDArray[np.float32]:
    """A field of an array whose axis runs over the tokens of a whole window, row by row, several entries a token."""
    before, after = array.shape[:axis], array.shape[axis + 1 :]
    each = array.shape[axis] // (GRID * GRID)
    grid = array.reshape(*before, GRID, GRID, each, *after)
    rows, cols = slice(field.row, field.row + field.rows), slice(field.col, field.col + field.cols)
    part = grid[(*(slice(None) for _ in before), rows, cols)]
    return np.ascontiguousarray(part).reshape(*before, field.rows * field.cols * each, *after)


class PreparedCache:
    """Keeps what was made of the latest embeddings, 22 MiB each, and of each the last field.

    Each is made once, also for many who ask at once.
    """

    def __init__(self, make: Callable[[Embedding], Prepared], kept: int) -> None:
        self._make, self._kept = make, kept
        self._entries: OrderedDict[Embedding, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, embedding: Embedding) -> None:
        """Makes what is made of this very embedding, unless it is kept."""
        with (entry := self._entry(embedding)).lock:
            entry.made = entry.made or self._make(embedding)

    def inputs(self, embedding: Embedding, field: Field = WHOLE) -> dict[str, npt.NDArray[np.float32]]:
        """The decoder's inputs for a field of this very embedding; the field that was last asked for stays cut."""
        with (entry := self._entry(embedding)).lock:
            entry.made = entry.made or self._make(embedding)
            if entry.cut is None or entry.cut[0] != field:
                entry.cut = field, entry.made.inputs(field)
            return entry.cut[1]

    def _entry(self, embedding: Embedding) -> "_Entry":
        with self._lock:
            entry = self._entries.setdefault(embedding, _Entry())
            self._entries.move_to_end(embedding)
            while len(self._entries) > self._kept:
                self._entries.popitem(last=False)
        return entry


class _Entry:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made: Prepared | None = None
        self.cut: tuple[Field, dict[str, npt.NDArray[np.float32]]] | None = None
