"""From a window's pixels to its embedding."""

from ml.encode.choice import CHOICES, Ability, choice_for, look, open_encoder
from ml.encode.onnx_encoder import Encoder, OnnxEncoder

__all__ = ["CHOICES", "Ability", "Encoder", "OnnxEncoder", "choice_for", "look", "open_encoder"]
