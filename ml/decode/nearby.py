"""Decodes only what lies around the prompts, and more of the window while the mask is cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ml.decode.fields import Seen, first_field, grown
from ml.decode.onnx_decoder import Decoded, OnnxDecoder
from ml.decode.prepared import WHOLE
from ml.decode.prompts import PromptSet
from ml.embeddings.features import Embedding


class StoppedError(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked of one window, with all that tells how much of it has to be decoded.

    `last` is the last answer for this object in this window; it is fed back where the model bears it, and says how
    large the object is in any case. `wanted` is the output index of the candidate that is to be whole, if not the
    first. `view_px` is the shorter side of what the user looks at, in px of the model's frame. `sides` replaces the
    sides of fields that the model's manifest names.
    """

    prompts: PromptSet
    last: Seen | None = None
    wanted: int | None = None
    view_px: float | None = None
    sides: Sequence[int] | None = None


def decode_nearby(
    decoder: OnnxDecoder, embedding: Embedding, asked: Asked, stop: Callable[[], bool] = lambda: False
) -> Decoded:
    """Masks over the smallest field in which the wanted candidate is not cut; at last over the whole window.

    A model whose manifest names no sides is asked for whole windows. Raises `StoppedError` before whichever step
    `stop` says that nobody waits for.
    """
    sides = asked.sides or decoder.model.fields
    field = first_field(asked.prompts, sides, last=asked.last, view_px=asked.view_px)
    fed_back = asked.last if decoder.model.mask_feedback else None
    times = 0
    if stop():
        raise StoppedError
    decoder.prepare(embedding)
    while True:
        if stop():
            raise StoppedError
        previous = None if fed_back is None else fed_back.over(field)
        found = decoder.decode(embedding, asked.prompts, previous, field)
        shown = found.of(asked.wanted)
        larger = None if field == WHOLE else grown(Seen(shown.logits, field), asked.prompts, sides)
        if larger is None:
            return replace(found, grown=times)
        field, times = larger, times + 1
