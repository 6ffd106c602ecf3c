"""From an embedding and prompts to candidate masks."""

from ml.decode.fields import SIDES, Seen, first_field, grown
from ml.decode.nearby import Asked, StoppedError, decode_nearby
from ml.decode.onnx_decoder import Answers, Decoded, OnnxDecoder
from ml.decode.prepared import WHOLE, Field
from ml.decode.prompts import Candidate, PromptError, PromptSet, rank_candidates

__all__ = [
    "SIDES",
    "WHOLE",
    "Answers",
    "Asked",
    "Candidate",
    "Decoded",
    "Field",
    "OnnxDecoder",
    "PromptError",
    "PromptSet",
    "Seen",
    "StoppedError",
    "decode_nearby",
    "first_field",
    "grown",
    "rank_candidates",
]
