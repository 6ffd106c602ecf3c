"""What is made of an embedding once, before any prompt: kept for the few windows that are being worked on."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ml.decode.look import GRID, WHOLE, Look, Tokens, squares_of
from ml.embeddings.features import Embedding

DRAWN = ("fine", "middle")  # what only the drawing of masks needs: several entries a token

Floats = npt.NDArray[np.float32]
Inputs = dict[str, Floats | npt.NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the decoder takes of an image of h x w tokens, float32, by the names of its inputs.

    `image` and `places` (1, hw, 256), `keys` (1, 8, 16, hw), `values` and `queries` (1, 8, hw, 16), `fine`
    (1, 16hw, 32) and `middle` (1, 4hw, 64).
    """

    image: Floats
    places: Floats
    keys: Floats
    values: Floats
    queries: Floats
    fine: Floats
    middle: Floats

    def squares(self, side: int) -> dict[str, Floats]:
        """Means of squares of `side` x `side` tokens of a whole window, laid out as the arrays, by name."""
        if not side:
            return {}
        return {one.name: self._squares(one.name, side) for one in fields(self) if one.name not in DRAWN}

    def _squares(self, name: str, side: int) -> Floats:
        by_token = np.moveaxis(getattr(self, name), _axis(name), -2)
        grid = by_token.reshape(*by_token.shape[:-2], GRID, GRID, by_token.shape[-1])
        found = squares_of(grid, side)
        flat = found.reshape(*by_token.shape[:-2], -1, by_token.shape[-1])
        return np.ascontiguousarray(np.moveaxis(flat, -2, _axis(name)))

    def inputs(self, look: Look, squares: Mapping[str, Floats]) -> Inputs:
        """The decoder's inputs for a look at a whole window, whose squares these are; places stay the window's."""
        tokens = Tokens(look)
        found: Inputs = {"counts": tokens.counts, "shown": tokens.shown}
        for one in fields(self):
            array: Floats = getattr(self, one.name)
            if one.name in DRAWN:
                part = array.reshape(GRID, GRID, -1)[look.drawn.spans()]
                found[one.name] = np.ascontiguousarray(part).reshape(1, -1, array.shape[-1])
            elif look.near == WHOLE:
                found[one.name] = array
            else:
                found[one.name] = tokens.of(array, squares.get(one.name), _axis(one.name))
        return found


def _axis(name: str) -> int:
    """Which axis of an array runs over the tokens."""
    return -1 if name == "keys" else -2


class PreparedCache:
    """Keeps what was made of the latest embeddings, 22 MiB each, and of each the inputs of the last look.

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

    def inputs(self, embedding: Embedding, look: Look) -> Inputs:
        """The decoder's inputs for a look at this very embedding, as `Prepared.inputs`; the last ones are kept."""
        with (entry := self._entry(embedding)).lock:
            entry.made = entry.made or self._make(embedding)
            if entry.taken is None or entry.taken[0] != look:
                if look.far not in entry.squares:
                    entry.squares[look.far] = entry.made.squares(look.far)
                entry.taken = look, entry.made.inputs(look, entry.squares[look.far])
            return entry.taken[1]

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
        self.squares: dict[int, dict[str, Floats]] = {}
        self.taken: tuple[Look, Inputs] | None = None
