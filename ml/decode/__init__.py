"""From an embedding and prompts to candidate masks."""

from ml.decode.onnx_decoder import Decoded, OnnxDecoder
from ml.decode.prompts import Candidate, PromptError, PromptSet, rank_candidates

__all__ = ["Candidate", "Decoded", "OnnxDecoder", "PromptError", "PromptSet", "rank_candidates"]
