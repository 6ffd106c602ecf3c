"""Which encoder a process uses: ONNX Runtime everywhere, torch where it was asked for or a graphics card is there."""

import importlib.util

from ml.encode.onnx_encoder import Encoder, OnnxEncoder
from ml.models.installed import InstalledModel, ModelError

ONNX, TORCH_CPU, TORCH_CUDA, AUTO = "onnx", "torch-cpu", "torch-cuda", "auto"
CHOICES = (ONNX, TORCH_CPU, TORCH_CUDA, AUTO)


def open_encoder(model: InstalledModel, choice: str = ONNX, threads: int = 1) -> Encoder:
    """The encoder of a model.

    `onnx` needs nothing more; `torch-cpu` and `torch-cuda` need torch, `sam2` and a model that was installed with its
    weights; `auto` is `torch-cuda` where all that is there, and else `onnx`. Raises `ModelError`.
    """
    if choice not in CHOICES:
        raise ModelError(f"There is no encoder {choice!r}. Set EDGEWISE_ENCODER to one of {', '.join(CHOICES)}.")
    if choice == AUTO:
        choice = TORCH_CUDA if model.weights is not None and has_card() else ONNX
    if choice == ONNX:
        return OnnxEncoder(model, threads)
    if not _has_torch():
        raise ModelError(
            f"EDGEWISE_ENCODER={choice} needs torch and sam2, which this Python has not. Install them as "
            "CONTRIBUTING.md says, or set EDGEWISE_ENCODER=onnx."
        )
    from ml.encode.torch_encoder import TorchEncoder

    return TorchEncoder(model, "cuda" if choice == TORCH_CUDA else "cpu", threads=threads)


def has_card() -> bool:
    """Whether torch is here, with a graphics card that it can use."""
    if not _has_torch():
        return False
    import torch

    return bool(torch.cuda.is_available())


def _has_torch() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "sam2", "safetensors"))
