"""Decodes prompts over an embedding on the processor through ONNX Runtime."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.decode.fields import Seen
from ml.decode.prepared import WHOLE, Field, Prepared, PreparedCache
from ml.decode.prompts import Candidate, PromptSet, rank_candidates
from ml.embeddings.features import SHAPES, Embedding
from ml.models.installed import INT8, InstalledModel, ModelFile
from ml.models.sessions import (
    DECODER_INPUTS,
    DECODER_OUTPUTS,
    FIELD_ORIGIN,
    MASK_TOKENS,
    PREPARE_INPUTS,
    PREPARED,
    PREPARED_DECODER_INPUTS,
    open_session,
)

FEEDBACK_LIMIT = 32.0  # SAM2ImagePredictor.predict clamps the logits it gives back to +-32
KEPT = 4  # windows whose prepared features stay in memory
ORIGIN = np.zeros(2, np.float32)
NO_TOKENS = np.zeros((0, 4, 256), np.float32)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Decoded:
    """The candidates, best first, and the object score logit (above 0: something is there).

    Their logits cover `field`, which was decoded after a smaller one had proved too small `grown` times.
    """

    candidates: tuple[Candidate, ...]
    object_score: float
    field: Field = WHOLE
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

    `masks` (B, 4, 4h, 4w) logits: the single mask, then the three of several; `scores` (B, 4) predicted IoU;
    `present` (B, 1) object score logits; `tokens` (B, 4, 256) what stands for each mask in the memory, where the
    decoder tells it.
    """

    masks: Floats
    scores: Floats
    present: Floats
    tokens: Floats


class OnnxDecoder:
    """The exported prompt encoder and mask decoder of a SAM 2.1 model; safe to use from several threads."""

    def __init__(self, model: InstalledModel, threads: int = 1) -> None:
        self.model = model
        if model.prepare is None:
            self._session = open_session(model.decoder, threads, DECODER_INPUTS, DECODER_OUTPUTS, FIELD_ORIGIN)
            asked = {node.name for node in self._session.get_inputs()}
            self._origin = {name: ORIGIN for name in FIELD_ORIGIN if name in asked}
            self._prepared = None
        else:
            file = model.decoder_int8 if model.precision == INT8 and model.decoder_int8 else model.decoder
            self._session = open_session(file, threads, PREPARED_DECODER_INPUTS, DECODER_OUTPUTS)
            self._prepared = PreparedCache(_preparing(model.prepare, threads), KEPT)
        told = {node.name for node in self._session.get_outputs()}
        self._outputs = [name for name in (*DECODER_OUTPUTS, *MASK_TOKENS) if name in told]

    def decode(
        self, embedding: Embedding, prompts: PromptSet, previous: Floats | None = None, field: Field = WHOLE
    ) -> Decoded:
        """Masks for the prompts over a field; `previous` (4 rows, 4 cols) are the logits of this object's last answer.

        Raises `ValueError` for a field of a model that decodes whole windows only.
        """
        coordinates, labels = prompts.tokens()
        answers = self.answer(embedding, coordinates, labels, None if previous is None else previous[None, None], field)
        ranked = rank_candidates(answers.masks[0], answers.scores[0], self.model.candidate_rule, prompts)
        return Decoded(ranked, float(answers.present[0, 0]), field)

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
        field: Field = WHOLE,
    ) -> Answers:
        """The answers to B prompt sets, with SAM's coordinates (B, N, 2) in the window and labels (B, N).

        Labels are 1 and 0 for points, 2 and 3 for the corners of a box, -1 for SAM's padding, and with a prepared
        model -2 for no point at all. `previous` (B, 1, 4h, 4w) are logits over the field. Raises `ValueError` for a
        field of a model that decodes whole windows only.
        """
        mask = np.zeros((len(labels), 1, 4 * field.rows, 4 * field.cols), np.float32)
        if previous is not None:
            mask = np.clip(previous, -FEEDBACK_LIMIT, FEEDBACK_LIMIT).astype(np.float32)
        prompts = {
            "point_coords": coordinates,
            "point_labels": labels,
            "mask_input": mask,
            "has_mask_input": np.full(len(labels), 0.0 if previous is None else 1.0, np.float32),
        }
        found = self._session.run(self._outputs, {**self._features(embedding, field), **prompts})
        return Answers(*found, *([] if len(found) > len(DECODER_OUTPUTS) else [NO_TOKENS]))

    def _features(self, embedding: Embedding, field: Field) -> dict[str, Any]:
        if self._prepared is not None:
            return self._prepared.inputs(embedding, field)
        if field != WHOLE:
            raise ValueError(f"{self.model.name} decodes whole windows only: it has no file `prepare`")
        return {**{name: getattr(embedding, name) for name in SHAPES}, **self._origin}


def _preparing(file: ModelFile, threads: int) -> Any:
    session = open_session(file, threads, PREPARE_INPUTS, PREPARED)

    def make(embedding: Embedding) -> Prepared:
        features = {name: getattr(embedding, name) for name in SHAPES}
        return Prepared(*session.run(list(PREPARED), {**features, "field_origin": ORIGIN}))

    return make
