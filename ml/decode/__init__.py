"""From an embedding and prompts to candidate masks."""

from ml.decode.fields import ALL, SIDES, Parts, Seen, first_field, grown, tokens_of
from ml.decode.look import WHOLE, Field, Look
from ml.decode.nearby import Asked, StoppedError, decode_nearby, parts_of
from ml.decode.onnx_decoder import Answers, Decoded, OnnxDecoder
from ml.decode.prompts import Candidate, PromptError, PromptSet, offered, rank_candidates, stability

__all__ = [
    "ALL",
    "SIDES",
    "WHOLE",
    "Answers",
    "Asked",
    "Candidate",
    "Decoded",
    "Field",
    "Look",
    "OnnxDecoder",
    "Parts",
    "PromptError",
    "PromptSet",
    "Seen",
    "StoppedError",
    "decode_nearby",
    "first_field",
    "grown",
    "offered",
    "parts_of",
    "rank_candidates",
    "stability",
    "tokens_of",
]
