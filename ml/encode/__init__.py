"""From a window's pixels to its embedding."""

from ml.encode.choice import CHOICES, open_encoder
from ml.encode.onnx_encoder import Encoder, OnnxEncoder

__all__ = ["CHOICES", "Encoder", "OnnxEncoder", "open_encoder"]
