"""Decodes only what lies around the prompts, and more of the window while the mask is cut or not to be believed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ml.decode.fields import ALL, Parts, Seen, first_field, grown, tokens_of
from ml.decode.look import WHOLE, Look
from ml.decode.onnx_decoder import Decoded, OnnxDecoder
from ml.decode.prompts import PromptSet
from ml.embeddings.features import Embedding
from ml.models.installed import InstalledModel


class StoppedError(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked of one window, with all that tells how much of it has to be decoded.

    `last` is the last answer for this object in this window; it is fed back where the model bears it, and says how
    large the object is in any case. `wanted` is the output index of the candidate that is to be whole, if not the
    first. `view_px` is the shorter side of what the user looks at, in px of the model's frame. `parts` replaces what
    the model's manifest says of decoding in parts.
    """

    prompts: PromptSet
    last: Seen | None = None
    wanted: int | None = None
    view_px: float | None = None
    parts: Parts | None = None


def parts_of(model: InstalledModel, *, hover: bool = False) -> Parts:
    """How much of a window a model is asked for by clicks, or by previews."""
    if model.prepare is None:
        return ALL
    if hover:
        return Parts(model.hover_fields, model.hover_far, model.hover_stability)
    return Parts(model.fields, model.far, model.stability)


def decode_nearby(
    decoder: OnnxDecoder, embedding: Embedding, asked: Asked, stop: Callable[[], bool] = lambda: False
) -> Decoded:
    """Masks over the smallest field in which the wanted candidate is stable and not cut; at last over the window.

    Raises `StoppedError` before whichever step `stop` says that nobody waits for.
    """
    parts = asked.parts or parts_of(decoder.model)
    near = first_field(asked.prompts, parts.sides, far=parts.far, last=asked.last, view_px=asked.view_px)
    previous = asked.last.over(WHOLE) if asked.last is not None and decoder.model.mask_feedback else None
    times = 0
    if stop():
        raise StoppedError
    decoder.prepare(embedding)
    while True:
        if stop():
            raise StoppedError
        look = Look(near, parts.far, tokens_of(asked.prompts, near))
        found = decoder.decode(embedding, asked.prompts, previous, look)
        larger = grown(Seen(found.of(asked.wanted).logits, found.field), near, asked.prompts, parts)
        if larger is None:
            return replace(found, grown=times)
        near = larger
        times += 1
