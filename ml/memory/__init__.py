"""From the mask of one picture to the same object in the next: SAM 2.1's memory, one object at a time."""

from ml.memory.onnx_memory import OnnxMemory, Remembered, chosen

__all__ = ["OnnxMemory", "Remembered", "chosen"]
