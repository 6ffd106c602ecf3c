"""Encodes many windows: while one is encoded, the next ones are read and the one before is written."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.encoding import engine, locks, services
from backend.encoding.models import EncodeWindow
from backend.rasters.models import Raster
from ml.embeddings import Embedding, EmbeddingKey
from ml.encode import Encoder
from ml.models import InstalledModel
from ml.windows import Window

READERS = 4  # where a graphics card takes several windows at once; else one keeps up
AHEAD = 2  # batches that are read ahead; beside the one being encoded and the one being written, nothing is in memory

State = EncodeWindow.State | None
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Encoded:
    """A window with its features, or with what went wrong, and the milliseconds that it took."""

    window: Window
    features: Embedding | Exception
    ms: float


def encode_windows(
    raster: Raster, model: InstalledModel, windows: Iterable[Window], go_on: Callable[[], bool]
) -> Generator[State]:
    """The state of each window once it is settled, as `services.encode_window` gives it, and raising what that raises.

    `go_on` is asked before each batch; when it says no, what has been encoded is still written and settled. Windows
    are taken as they are needed, so that memory does not grow with the raster. The database is spoken to, and
    files are written, in the caller's thread; pixels are read and encoded in others.
    """
    encoder = engine.encoder(model)
    many = max(1, encoder.batch)
    with (
        ThreadPoolExecutor(READERS if many > 1 else 1, "read") as readers,
        ThreadPoolExecutor(1, "encode") as encoding,
        contextlib.closing(_Line(raster, model, iter(windows), readers, many)) as line,
    ):
        before: Sequence[Encoded] = ()
        while go_on():
            taken = yield from line.take()
            if taken is None:
                break
            under_way = encoding.submit(encode_batch, encoder, taken)
            yield from line.settle(before)
            before = under_way.result()
        yield from line.settle(before)


def encode_batch(encoder: Encoder, taken: Sequence[tuple[Window, Pixels]]) -> list[Encoded]:
    """Every window with its features; of a batch that fails each is tried alone, so that only the bad one fails."""
    began = time.perf_counter()
    with engine.encoding_lock():
        try:
            features: list[Embedding | Exception] = list(encoder.encode_many([pixels for _, pixels in taken]))
        except Exception as error:  # of the runtime or the card
            features = [error] if len(taken) == 1 else [_alone(encoder, pixels) for _, pixels in taken]
    each = (time.perf_counter() - began) * 1000 / max(1, len(taken))
    return [Encoded(window, found, each) for (window, _), found in zip(taken, features, strict=True)]


def _alone(encoder: Encoder, pixels: Pixels) -> Embedding | Exception:
    try:
        return encoder.encode(pixels)
    except Exception as error:  # the same
        return error


class _Line:
    """The windows of one raster that are being read, and the locks of those that are neither read nor settled yet."""

    def __init__(
        self, raster: Raster, model: InstalledModel, windows: Iterator[Window], readers: ThreadPoolExecutor, many: int
    ) -> None:
        self.raster, self.model, self.windows, self.readers, self.many = raster, model, windows, readers, many
        self.reading: deque[tuple[Window, Future[Pixels | None]]] = deque()
        self.held: dict[Window, contextlib.ExitStack] = {}

    def take(self) -> Generator[State, None, list[tuple[Window, Pixels]] | None]:
        """The next windows with their pixels; None when there are no more. Those that need no encoding are settled."""
        self._read_ahead()
        if not self.reading:
            return None
        taken: list[tuple[Window, Pixels]] = []
        for _ in range(min(self.many, len(self.reading))):
            window, future = self.reading.popleft()
            self._hold(window)
            try:
                known = services.known_state(self.raster, self.model, window)  # a click may have had it encoded
                pixels = None if known is not None else future.result()
            except Exception as error:  # of GDAL or the store: this window failed, others may not
                yield self._settled(window, services.failed(self.raster, self.model, window, error))
                continue
            if known is not None:
                yield self._settled(window, known)
            elif pixels is None:
                yield self._settled(window, services.skipped(self.raster, self.model, window))
            else:
                taken.append((window, pixels))
        self._read_ahead()
        return taken

    def settle(self, encoded: Sequence[Encoded]) -> Iterator[State]:
        """Writes files and rows."""
        for one in encoded:
            try:
                if isinstance(one.features, Exception):
                    raise one.features
                stored = engine.store().put(self._key(one.window), one.features)
            except Exception as error:  # of the runtime, the card or the disk
                yield self._settled(one.window, services.failed(self.raster, self.model, one.window, error))
                continue
            state = services.ready(self.raster, self.model, one.window, stored, one.ms)
            yield self._settled(one.window, state)

    def close(self) -> None:
        """Lets go of what is held, and reads no more."""
        for _, future in self.reading:
            future.cancel()
        for lock in self.held.values():
            lock.close()
        self.held.clear()

    def _settled(self, window: Window, state: State) -> State:
        self.held.pop(window).close()
        return state

    def _hold(self, window: Window) -> None:
        """Whoever else wants this window waits until it is settled."""
        self.held[window] = contextlib.ExitStack()
        self.held[window].enter_context(locks.window(self._key(window)))

    def _key(self, window: Window) -> EmbeddingKey:
        return engine.key_of(self.raster.id, self.raster.recipe_hash, self.model, window)

    def _read_ahead(self) -> None:
        while len(self.reading) < AHEAD * self.many:
            window = next(self.windows, None)
            if window is None:
                return
            self.reading.append((window, self.readers.submit(services.pixels_of, self.raster, window)))
