"""Remembers masks and sees later pictures in their light, on the processor through ONNX Runtime."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.decode import Answers
from ml.decode.prompts import is_stable
from ml.embeddings import Embedding
from ml.models.installed import InstalledModel, ModelError
from ml.models.sessions import (
    MEMORY_ATTENTION_INPUTS,
    MEMORY_ATTENTION_OUTPUTS,
    MEMORY_ENCODER_INPUTS,
    MEMORY_ENCODER_OUTPUTS,
    open_session,
)

MEMORIES = 6  # of pictures that were not prompted, sam2.1_hiera_*.yaml: num_maskmem 7, less the prompted one
POINTERS = 16  # SAM2Base: max_obj_ptrs_in_encoder

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Remembered:
    """What is kept of one picture: `memory` (1, 64, 64, 64), `pointer` (1, 256), and whether it was prompted."""

    memory: Floats
    pointer: Floats
    prompted: bool


class OnnxMemory:
    """The exported memory of a SAM 2.1 model; safe to use from several threads."""

    def __init__(self, model: InstalledModel, threads: int = 1) -> None:
        """Raises `ModelError` for a model without memory."""
        if model.memory_encoder is None or model.memory_attention is None:
            raise ModelError(f"{model.name} has no memory for series of pictures. Install a SAM 2.1 checkpoint.")
        self._encoder = open_session(model.memory_encoder, threads, MEMORY_ENCODER_INPUTS, MEMORY_ENCODER_OUTPUTS)
        self._attention = open_session(
            model.memory_attention, threads, MEMORY_ATTENTION_INPUTS, MEMORY_ATTENTION_OUTPUTS
        )

    def remember(self, embedding: Embedding, answers: Answers, *, points: int) -> Remembered:
        """What to keep of a picture that was decoded with so many points (corners of a box count), 0 for none.

        `answers` are those of one prompt set over a whole window.
        """
        mask, token = chosen(answers, points)
        memory, pointer = self._encoder.run(
            list(MEMORY_ENCODER_OUTPUTS),
            {
                "image_embed": embedding.image_embed,
                "mask": answers.masks[:, mask : mask + 1],
                "mask_token": answers.tokens[:, token],
                "object_score": answers.present,
                "from_points": np.array([points > 0], np.float32),
            },
        )
        return Remembered(_in_bfloat16(memory), pointer, points > 0)

    def recall(self, embedding: Embedding, past: Sequence[Remembered | None], pictures: int) -> Embedding:
        """A picture's embedding for the decoder, in the light of the pictures before it, the nearest first.

        None stands for a picture of which nothing is known; `pictures` are those of the whole series. At least one
        was prompted. Raises `ValueError`.
        """
        known = [(ago, one) for ago, one in enumerate(past, 1) if one is not None]
        prompted = [(ago, one) for ago, one in known if one.prompted]
        if not prompted:
            raise ValueError("no picture before this one was prompted")
        followed = [(ago, one) for ago, one in known if not one.prompted]
        kept = [(MEMORIES, one) for _, one in reversed(prompted)]
        kept += [(ago - 1, one) for ago, one in reversed(followed) if ago <= MEMORIES]
        pointers = [*reversed(prompted), *(pair for pair in followed if pair[0] < POINTERS)]
        most = max(min(pictures, POINTERS) - 1, 1)
        (conditioned,) = self._attention.run(
            list(MEMORY_ATTENTION_OUTPUTS),
            {
                "image_embed": embedding.image_embed,
                "memories": np.concatenate([one.memory for _, one in kept]),
                "memory_times": np.array([time for time, _ in kept], np.int64),
                "pointers": np.concatenate([one.pointer for _, one in pointers]),
                "pointer_times": np.array([ago / most for ago, _ in pointers], np.float32),
            },
        )
        return Embedding(conditioned, embedding.high_res_feats_0, embedding.high_res_feats_1)


def chosen(answers: Answers, points: int) -> tuple[int, int]:
    """Which of the four masks SAM 2.1 goes on with, and which token stands for it (SAM2Base, `_use_multimask`)."""
    best = 1 + int(np.argmax(answers.scores[0, 1:]))
    if points <= 1:
        return best, best
    return (0 if is_stable(answers.masks[0, 0]) else best), 0


def _in_bfloat16(memory: Floats) -> Floats:
    """Rounded as SAM2VideoPredictor keeps its memory, to the nearest, halves to even."""
    bits = memory.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)
