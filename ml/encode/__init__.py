"""From a window's pixels to its embedding."""

from ml.encode.onnx_encoder import Encoder, OnnxEncoder

__all__ = ["Encoder", "OnnxEncoder"]
