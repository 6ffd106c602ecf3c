"""Follows the shown mask out of its window, through the raster's embeddings; see `ml.spanning`."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.segmentation.prompting import Pixels, Placed
from ml.decode import WHOLE, Asked, Candidate, Decoded, OnnxDecoder, PromptSet, Seen, StoppedError, decode_nearby
from ml.decode.prompts import MAX_POINTS
from ml.embeddings import Embedding
from ml.frames import RasterFrame, model_from_pixel
from ml.spanning import Ground, Grown, Look, goes_on, grow
from ml.windows import Window

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Where a mask may go on: `embedding_of` gives a window's features, None while it waits for being encoded.

    `ready` windows are encoded; those of `without` cannot be. Where `may_wait` is false, as for a model that encodes
    nothing any more, what is not encoded cannot be had either.
    """

    frame: RasterFrame
    decoder: OnnxDecoder
    embedding_of: Callable[[Window], Embedding | None]
    ready: Collection[Window]
    without: Collection[Window]
    may_wait: bool
    stop: Callable[[], bool]


def followed(window: Window, decoded: Decoded, shown: Candidate, asked: Placed, around: Surroundings) -> Grown | None:
    """The object of the shown mask as far as it is known, where it goes on beyond its window; None where it does not.

    A box says how far an object goes, so nothing is followed out of one. Raises `StoppedError`.
    """
    if asked.box is not None or not len(asked.positive):
        return None
    logits = Seen(shown.logits, decoded.field).over(WHOLE)
    ground = Ground(
        around.frame.width,
        around.frame.height,
        asked.points,
        asked.labels,
        _looking(around),
        ready=around.ready,
        without=around.without,
        stopped=around.stop,
    )
    if not goes_on(window, logits, ground):
        return None
    found = grow(window, logits, ground)
    if around.stop():
        raise StoppedError
    return found if found.missing or found.windows != (window,) else None


def _looking(around: Surroundings) -> Look:
    def look(window: Window, points: Pixels, labels: npt.NDArray[np.int64]) -> Sequence[Floats] | None:
        embedding = around.embedding_of(window)
        if embedding is None:
            return None if around.may_wait else ()
        latest = slice(-MAX_POINTS, None)
        prompts = PromptSet(model_from_pixel(window, points[latest]), labels[latest])
        found = decode_nearby(around.decoder, embedding, Asked(prompts), around.stop)
        return [Seen(one.logits, found.field).over(WHOLE) for one in found.candidates]

    return look
