"""Which encoder a process uses: ONNX Runtime everywhere, torch where it was asked for or a graphics card is there."""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass

import onnxruntime

from ml.encode.onnx_encoder import Encoder, OnnxEncoder
from ml.models.installed import InstalledModel, ModelError

ONNX, ONNX_CUDA, TORCH_CPU, TORCH_CUDA, AUTO = "onnx", "onnx-cuda", "torch-cpu", "torch-cuda", "auto"
CHOICES = (ONNX, ONNX_CUDA, TORCH_CPU, TORCH_CUDA, AUTO)
ON_CARD = (TORCH_CUDA, ONNX_CUDA)


@dataclass(frozen=True)
class Ability:
    """What a process can encode with.

    `encoder` is one of `CHOICES`, never `auto`; `card` names the graphics card that it uses, empty for none;
    `memory_mb` is the card's, else the machine's. `models` are all that it can run, `card_models` those that it runs
    on the card. `why` says what stands in the way of what was asked for.
    """

    encoder: str
    card: str
    memory_mb: int
    models: tuple[str, ...]
    card_models: tuple[str, ...]
    why: str = ""


def look(choice: str, models: Sequence[InstalledModel], why: str = "") -> Ability:
    """What this process can do where `choice` was asked for, as far as can be seen without opening a model."""
    encoder = _settled(choice)
    missing = "" if encoder == ONNX else _missing(encoder)
    if missing:
        encoder, why = ONNX, missing
    on_card = encoder in ON_CARD
    names = tuple(model.name for model in models)
    fast = tuple(model.name for model in models if on_card and _runs(model, encoder))
    card, memory = _card(encoder) if on_card else ("", os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return Ability(encoder, card, memory // 2**20, names, fast, why)


def open_encoder(model: InstalledModel, choice: str = ONNX, threads: int = 1, *, compiled: bool = False) -> Encoder:
    """The encoder of a model.

    `onnx` needs nothing more, and takes the model's quick encoder where it has one; `onnx-cuda` needs the runtime for
    NVIDIA cards; `torch-cpu` and `torch-cuda` need torch, `sam2` and a model that was installed with its weights;
    `auto` is the first of `torch-cuda`, `onnx-cuda` and `onnx` that can be. `compiled` has torch compile the model.
    Raises `ModelError`.
    """
    if choice == AUTO:
        choice = _settled(choice)
        choice = choice if _runs(model, choice) else ONNX
    if choice not in CHOICES:
        raise ModelError(f"There is no encoder {choice!r}. Set EDGEWISE_ENCODER to one of {', '.join(CHOICES)}.")
    if choice == ONNX:
        return OnnxEncoder(model, threads)
    missing = _missing(choice)
    if missing:
        raise ModelError(missing)
    if choice == ONNX_CUDA:
        return OnnxEncoder(model, threads, on_card=True)
    from ml.encode.torch_encoder import TorchEncoder

    device = "cuda" if choice == TORCH_CUDA else "cpu"
    return TorchEncoder(model, device, threads=threads, compiled=compiled)


def choice_for(model: InstalledModel, ability: Ability) -> str:
    """What a process of this ability encodes a model with: weights are needed for torch, `onnx` always can.

    A model whose quick encoder makes embeddings of its own is encoded by nothing else.
    """
    return ability.encoder if _runs(model, ability.encoder) else ONNX


def has_card() -> bool:
    """Whether torch is here, with a graphics card that it can use."""
    if not _has_torch():
        return False
    import torch

    return bool(torch.cuda.is_available())


def _settled(choice: str) -> str:
    if choice != AUTO:
        return choice
    if has_card():
        return TORCH_CUDA
    return ONNX_CUDA if _has_card_runtime() else ONNX


def _runs(model: InstalledModel, choice: str) -> bool:
    if choice == ONNX or model.own_embeddings:
        return choice == ONNX
    return choice == ONNX_CUDA or model.weights is not None


def _missing(choice: str) -> str:
    """What an encoder lacks on this machine, in words that say what to do; empty when nothing."""
    if choice not in CHOICES:
        return f"There is no encoder {choice!r}. Set EDGEWISE_ENCODER to one of {', '.join(CHOICES)}."
    if choice == ONNX_CUDA:
        if _has_card_runtime():
            return ""
        return (
            "EDGEWISE_ENCODER=onnx-cuda needs a card and ONNX Runtime for NVIDIA cards (the extra `gpu`). Install it, "
            "or set EDGEWISE_ENCODER=onnx."
        )
    if not _has_torch():
        return (
            f"EDGEWISE_ENCODER={choice} needs torch and sam2, which this Python has not. Install them as "
            "CONTRIBUTING.md says, or set EDGEWISE_ENCODER=onnx."
        )
    if choice == TORCH_CUDA and not has_card():
        return "There is no graphics card that torch can use. Set EDGEWISE_ENCODER=onnx."
    return ""


def _has_card_runtime() -> bool:
    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def _has_torch() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "sam2", "safetensors"))


def _card(choice: str) -> tuple[str, int]:
    """The card's name and its memory in bytes, 0 where only the runtime knows it."""
    if choice == ONNX_CUDA and not has_card():
        return "NVIDIA card of ONNX Runtime", 0
    import torch

    about = torch.cuda.get_device_properties(0)
    return str(about.name), int(about.total_memory)
