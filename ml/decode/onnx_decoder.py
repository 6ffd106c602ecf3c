"""Decodes prompts over an embedding on the processor through ONNX Runtime."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.decode.fields import Seen
from ml.decode.look import CELL, CELLS, WHOLE, Field, Look, Tokens, squares_of
from ml.decode.prepared import Prepared, PreparedCache
from ml.decode.prompts import Candidate, PromptSet, offered, rank_candidates
from ml.embeddings.features import SHAPES, Embedding
from ml.models.installed import INT8, InstalledModel, ModelFile
from ml.models.sessions import (
    DECODER_INPUTS,
    DECODER_OUTPUTS,
    DRAWN,
    FIELD_ORIGIN,
    MASK_FEATURES,
    MASK_INPUTS,
    MASK_TOKENS,
    PREPARE_INPUTS,
    PREPARED,
    PREPARED_DECODER_INPUTS,
    open_session,
)

FEEDBACK_LIMIT = 32.0  # SAM2ImagePredictor.predict clamps the logits it gives back to +-32
KEPT = 4  # windows whose prepared features stay in memory
ALL_OF_IT = Look()
ORIGIN = np.zeros(2, np.float32)
ALL_MASKS = np.array([1, 1, 1, 1, 0], np.float32)
NO_TOKENS = np.zeros((0, 4, 256), np.float32)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Decoded:
    """The candidates, best first, and the object score logit (above 0: something is there).

    Their logits cover `field`, which holds all masks in `near`, the part of the window that was looked at closely; more
    of the window had to be looked at for them `grown` times.
    """

    candidates: tuple[Candidate, ...]
    object_score: float
    field: Field = WHOLE
    near: Field = WHOLE
    grown: int = 0

    def of(self, index: int | None) -> Candidate:
        """The candidate of an output index, or the first where that one is not offered."""
        return next((one for one in self.candidates if one.index == index), self.candidates[0])

    def is_cut(self, index: int | None) -> bool:
        """Whether the candidate of an output index goes on beyond the field."""
        return Seen(self.of(index).logits, self.field).is_cut()

    def only(self, index: int | None) -> "Decoded":
        """The same with that candidate alone."""
        return replace(self, candidates=(self.of(index),))


@dataclass(frozen=True, eq=False)
class Answers:
    """What the decoder says to B prompt sets over a field of h x w tokens, as it says it.

    `field` is where in the window that lies. `masks` (B, 4, 4h, 4w) logits: the single mask, then the three of several;
    `scores` (B, 4) predicted IoU; `present` (B, 1) object score logits; `tokens` (B, 4, 256) what stands for each mask
    in the memory, where the decoder tells it.
    """

    masks: Floats
    scores: Floats
    present: Floats
    tokens: Floats
    field: Field = WHOLE


class OnnxDecoder:
    """The exported prompt encoder and mask decoder of a SAM 2.1 model; safe to use from several threads.

    What is made of a window before any prompt stays in memory for the latest `kept` windows, some 25 MiB each.
    """

    def __init__(self, model: InstalledModel, threads: int = 1, kept: int = KEPT) -> None:
        self.model = model
        if model.prepare is None:
            self._session = open_session(model.decoder, threads, DECODER_INPUTS, DECODER_OUTPUTS, FIELD_ORIGIN)
            asked = {node.name for node in self._session.get_inputs()}
            self._origin = {name: ORIGIN for name in FIELD_ORIGIN if name in asked}
            self._prepared = None
        else:
            file = model.decoder_int8 if model.precision == INT8 and model.decoder_int8 else model.decoder
            self._session = open_session(file, threads, PREPARED_DECODER_INPUTS, {**DECODER_OUTPUTS, **DRAWN})
            self._prepared = PreparedCache(_preparing(model.prepare, threads), kept)
            self._mask: Any = open_session(model.mask, threads, MASK_INPUTS, MASK_FEATURES) if model.mask else None
        told = {node.name for node in self._session.get_outputs()}
        self._outputs = [name for name in (*DECODER_OUTPUTS, *MASK_TOKENS, *DRAWN) if name in told]

    def decode(
        self, embedding: Embedding, prompts: PromptSet, previous: Floats | None = None, look: Look = ALL_OF_IT
    ) -> Decoded:
        """Masks for the prompts; `previous` (256, 256) are the logits of this object's last answer over the window.

        Raises `ValueError` for a look at less than the window with a model that decodes whole windows only.
        """
        coordinates, labels = prompts.tokens()
        last = None if previous is None else previous[None, None]
        rule = self.model.candidate_rule
        answers = self.answer(embedding, coordinates, labels, last, look, counted=offered(rule, prompts))
        ranked = rank_candidates(answers.masks[0], answers.scores[0], rule, prompts)
        return Decoded(ranked, float(answers.present[0, 0]), answers.field, look.near)

    def prepare(self, embedding: Embedding) -> None:
        """Makes what every prompt on this embedding needs, where that is not made yet; `decode` does so by itself."""
        if self._prepared is not None:
            self._prepared.prepare(embedding)

    def answer(
        self,
        embedding: Embedding,
        coordinates: Floats,
        labels: Floats,
        previous: Floats | None = None,
        look: Look = ALL_OF_IT,
        *,
        counted: Floats = ALL_MASKS,
    ) -> Answers:
        """The answers to B prompt sets, with SAM's coordinates (B, N, 2) in the window and labels (B, N).

        Labels are 1 and 0 for points, 2 and 3 for the corners of a box, -1 for SAM's padding, and with a prepared
        model -2 for no point at all. `previous` (B, 1, 256, 256) are logits over the window. What is drawn holds the
        masks that are `counted` (see `offered`). Raises `ValueError` for a look at less than the window with a model
        that decodes whole windows only.
        """
        mask = None if previous is None else np.clip(previous, -FEEDBACK_LIMIT, FEEDBACK_LIMIT).astype(np.float32)
        has = np.full(len(labels), 0.0 if mask is None else 1.0, np.float32)
        prompts = {"point_coords": coordinates, "point_labels": labels, "has_mask_input": has}
        if self._prepared is not None:
            prompts["mask_features"] = np.zeros((1, 1, 16), np.float32) if mask is None else self._drawn(mask, look)
            least = look.near if look.least is None else look.least
            features: dict[str, Any] = {**self._prepared.inputs(embedding, look), "offered": counted}
            features["least"] = least.marked_in(look.near)
        elif look.near == WHOLE:
            prompts["mask_input"] = np.zeros((len(labels), 1, CELLS, CELLS), np.float32) if mask is None else mask
            features = {**{name: getattr(embedding, name) for name in SHAPES}, **self._origin}
        else:
            raise ValueError(f"{self.model.name} decodes whole windows only: it has no file `prepare`")
        found = dict(zip(self._outputs, self._session.run(self._outputs, {**features, **prompts}), strict=True))
        masks, scores, present = (found[name] for name in DECODER_OUTPUTS)
        field = look.near.part(*found["drawn"].tolist()) if "drawn" in found else WHOLE
        return Answers(masks, scores, present, found.get("mask_tokens", NO_TOKENS), field)

    def _drawn(self, mask: Floats, look: Look) -> Floats:
        """What the mask prompt's branch makes of (B, 1, 256, 256), at the tokens of a look: (B, n, 16)."""

        def features(logits: Floats) -> Floats:
            return np.asarray(self._mask.run(list(MASK_FEATURES), {"mask_input": np.ascontiguousarray(logits)})[0])

        near = features(mask[(..., *look.near.spans(CELL))])
        if not look.far:
            return near
        coarse = squares_of(mask[..., None], look.far)[..., 0]
        return np.concatenate([near, np.take(features(coarse), Tokens(look).far, axis=1)], axis=1)


def _preparing(file: ModelFile, threads: int) -> Any:
    session = open_session(file, threads, PREPARE_INPUTS, PREPARED)

    def make(embedding: Embedding) -> Prepared:
        features = {name: getattr(embedding, name) for name in SHAPES}
        return Prepared(*session.run(list(PREPARED), {**features, "field_origin": ORIGIN}))

    return make
