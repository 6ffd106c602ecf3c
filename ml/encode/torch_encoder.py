"""Encodes windows with torch and `sam2`: in half precision where the processor has it, and on graphics cards."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ml.embeddings.features import Embedding
from ml.encode.onnx_encoder import check_pixels
from ml.export.graphs import ImageEncoder
from ml.export.weights import load_installed
from ml.models.installed import InstalledModel, ModelError

BATCH = 8  # windows at once on a graphics card; a processor gains nothing from more than one


class TorchEncoder:
    """The image encoder of an installed SAM 2.1 model from its weights; to be used from one thread at a time.

    On a processor with bfloat16 instructions, and on a graphics card, most of it runs in bfloat16, unless `exact`.
    """

    def __init__(
        self,
        model: InstalledModel,
        device: str = "cpu",
        *,
        threads: int = 0,
        exact: bool = False,
        batch: int = 0,
        compiled: bool = False,
    ) -> None:
        """`device` is `cpu`, `cuda` or `cuda:N`. Raises `ModelError` where it is not there."""
        self.model, self.device = model, torch.device(device)
        on_card = self.device.type == "cuda"
        if on_card and not torch.cuda.is_available():
            raise ModelError("There is no graphics card that torch can use. Set EDGEWISE_ENCODER=onnx.")
        if threads and not on_card:
            torch.set_num_threads(threads)
        self.half = not exact and (on_card or has_bfloat16())
        self.batch = batch or (BATCH if on_card else 1)
        encoder = ImageEncoder(load_installed(model)).eval().to(self.device)
        self._encode: Any = torch.compile(encoder, dynamic=False) if compiled else encoder
        self._mean = torch.tensor(model.mean, device=self.device).reshape(1, 3, 1, 1)
        self._std = torch.tensor(model.std, device=self.device).reshape(1, 3, 1, 1)

    def encode(self, pixels: npt.NDArray[np.uint8]) -> Embedding:
        """See `Encoder.encode`."""
        (embedding,) = self.encode_many([pixels])
        return embedding

    def encode_many(self, windows: Sequence[npt.NDArray[np.uint8]]) -> list[Embedding]:
        """See `Encoder.encode_many`."""
        done: list[Embedding] = []
        for start in range(0, len(windows), self.batch):
            some = windows[start : start + self.batch]
            with torch.inference_mode(), self._precision():
                features = self._encode(self._input(some))
            arrays = [one.float().cpu().numpy() for one in features]
            done += [Embedding(*(array[i : i + 1].copy() for array in arrays)) for i in range(len(some))]
        return done

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.half else nullcontext()

    def _input(self, windows: Sequence[npt.NDArray[np.uint8]]) -> torch.Tensor:
        """(B, 3, S, S) as `prepare` makes it, normalised on the device; always as many as a compiled graph is for."""
        size, on_card = self.model.input_size, self.device.type == "cuda"
        many = self.batch if on_card and len(windows) > 1 else len(windows)
        held = torch.zeros((many, size, size, 3), dtype=torch.uint8, pin_memory=on_card)
        inside = torch.zeros((many, 1, size, size), dtype=torch.bool)
        for number, pixels in enumerate(windows):
            height, width = check_pixels(pixels, size)
            held[number, :height, :width] = torch.from_numpy(np.ascontiguousarray(pixels))
            inside[number, :, :height, :width] = True
        image = held.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
        return torch.where(inside.to(self.device), (image - self._mean) / self._std, 0.0)


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself (AVX512-BF16 or AMX); elsewhere it is slower than float32."""
    return any(
        bool(getattr(torch.cpu, name, lambda: False)())
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
