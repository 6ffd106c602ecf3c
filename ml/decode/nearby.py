"""Decodes only what lies around the prompts, and more of the window while the mask is cut or not to be believed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ml.decode.fields import ALL, DRAWN, SIDES, Parts, Seen, drawn, first_field, grown
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
    """How much of a window a model is asked for by clicks, or by previews.

    Of a whole window a click draws all: a mask may have parts far from the prompts, which no part of it tells of.
    """
    if model.prepare is None:
        return ALL
    if hover:
        return Parts(model.hover_fields, model.hover_far, model.hover_stability)
    return Parts(model.fields, model.far, model.stability, draws_some=False)


def decode_nearby(
    decoder: OnnxDecoder, embedding: Embedding, asked: Asked, stop: Callable[[], bool] = lambda: False
) -> Decoded:
    """Masks over the smallest field in which the wanted candidate is stable and not cut; at last over the window.

    Of a whole window only what lies around the prompts is drawn, and more of it while the mask is cut there. Raises
    `StoppedError` before whichever step `stop` says that nobody waits for.
    """
    parts = asked.parts or parts_of(decoder.model)
    field = shown = first_field(asked.prompts, parts.sides, far=parts.far, last=asked.last, view_px=asked.view_px)
    if field == WHOLE and parts.draws_some:
        shown = first_field(
            asked.prompts, DRAWN if asked.last is None else SIDES, last=asked.last, view_px=asked.view_px
        )
    previous = asked.last.over(WHOLE) if asked.last is not None and decoder.model.mask_feedback else None
    times = 0
    if stop():
        raise StoppedError
    decoder.prepare(embedding)
    while True:
        if stop():
            raise StoppedError
        found = decoder.decode(embedding, asked.prompts, previous, Look(field, parts.far, shown))
        seen = Seen(found.of(asked.wanted).logits, shown)
        if field == WHOLE:
            if shown == WHOLE or not seen.is_cut():
                return replace(found, grown=times)
            shown = WHOLE
        else:
            larger = grown(seen, asked.prompts, parts)
            if larger is None:
                return replace(found, grown=times)
            field = shown = larger
            if field == WHOLE and parts.draws_some:
                shown = drawn(seen, asked.prompts)
        times += 1
