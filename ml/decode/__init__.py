"""From an embedding and prompts to candidate masks."""

from ml.decode.onnx_decoder import Answers, Decoded, OnnxDecoder
from ml.decode.prepared import WHOLE, Field
from ml.decode.prompts import Candidate, PromptError, PromptSet, rank_candidates

__all__ = [
    "WHOLE",
    "Answers",
    "Candidate",
    "Decoded",
    "Field",
    "OnnxDecoder",
    "PromptError",
    "PromptSet",
    "rank_candidates",
]
