"""Decodes prompts over an embedding on the processor through ONNX Runtime."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.decode.prompts import Candidate, PromptSet, rank_candidates
from ml.embeddings.features import Embedding
from ml.models.installed import InstalledModel
from ml.models.sessions import DECODER_INPUTS, DECODER_OUTPUTS, open_session

FEEDBACK_LIMIT = 32.0  # SAM2ImagePredictor.predict clamps the logits it gives back to +-32
NO_MASK = np.zeros((1, 1, 256, 256), np.float32)


@dataclass(frozen=True, eq=False)
class Decoded:
    """The candidates, best first, and the object score logit (above 0: something is there)."""

    candidates: tuple[Candidate, ...]
    object_score: float


class OnnxDecoder:
    """The exported prompt encoder and mask decoder of a SAM 2.1 model; safe to use from several threads."""

    def __init__(self, model: InstalledModel, threads: int = 1) -> None:
        self.model = model
        self._session = open_session(model.decoder, threads, DECODER_INPUTS, DECODER_OUTPUTS)

    def decode(
        self, embedding: Embedding, prompts: PromptSet, previous: npt.NDArray[np.float32] | None = None
    ) -> Decoded:
        """Masks for the prompts; `previous` (256, 256) are the logits of this object's last answer."""
        coordinates, labels = prompts.tokens()
        mask = NO_MASK if previous is None else np.clip(previous, -FEEDBACK_LIMIT, FEEDBACK_LIMIT)[None, None]
        masks, scores, present = self._session.run(
            list(DECODER_OUTPUTS),
            {
                "image_embed": embedding.image_embed,
                "high_res_feats_0": embedding.high_res_feats_0,
                "high_res_feats_1": embedding.high_res_feats_1,
                "point_coords": coordinates,
                "point_labels": labels,
                "mask_input": mask.astype(np.float32),
                "has_mask_input": np.array([0.0 if previous is None else 1.0], np.float32),
            },
        )
        ranked = rank_candidates(masks[0], scores[0], self.model.candidate_rule, prompts)
        return Decoded(ranked, float(present[0, 0]))
