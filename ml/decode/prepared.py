"""What is made of an embedding once, before any prompt: kept for the few windows that are being worked on."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ml.decode.look import GRID, WHOLE, Field, Look, Tokens, squares_of
from ml.embeddings.features import Embedding

DRAWN = ("fine", "middle")  # what only the drawing of masks needs: always the whole window's

Floats = npt.NDArray[np.float32]
Inputs = dict[str, Floats | npt.NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the decoder takes of an image of h x w tokens, float32, by the names of its inputs.

    `image` and `places` (1, hw, 256), `keys`, `values` and `queries` (1, 8, hw, 16), `fine` (1, h, w, 512) and `middle`
    (1, h, w, 256).
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
        by_token: Floats = getattr(self, name)
        found = squares_of(by_token.reshape(*by_token.shape[:-2], GRID, GRID, by_token.shape[-1]), side)
        return found.reshape(*by_token.shape[:-2], -1, by_token.shape[-1])

    def inputs(self, look: Look, squares: Mapping[str, Floats]) -> Inputs:
        """The decoder's inputs for a look at a whole window, whose squares these are, but what of it is drawn at least;
        places stay the window's."""
        tokens = Tokens(look)
        found: Inputs = {"counts": tokens.counts, "near": look.near.numbers()}
        for one in fields(self):
            array: Floats = getattr(self, one.name)
            if one.name in DRAWN or look.near == WHOLE:
                found[one.name] = array
            else:
                found[one.name] = tokens.of(array, squares.get(one.name))
        return found


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
            if entry.taken is None or entry.taken[0] != (look.near, look.far):
                if look.far not in entry.squares:
                    entry.squares[look.far] = entry.made.squares(look.far)
                entry.taken = (look.near, look.far), entry.made.inputs(look, entry.squares[look.far])
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
        self.taken: tuple[tuple[Field, int], Inputs] | None = None
