"""Encodes windows with torch and `sam2`: in half precision where the processor has it, and on graphics cards."""

import logging
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

log = logging.getLogger(__name__)

BATCH = 8  # windows at once on a graphics card; a processor gains nothing from more than one


class TorchEncoder:
    """The image encoder of an installed SAM 2.1 model from its weights; to be used from one thread at a time.

    On a processor with bfloat16 instructions, and on a graphics card, most of it runs in bfloat16, unless `exact`.
    Where a card has no room for a batch, half as many windows are taken together from then on.
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
        self._eager: Any = ImageEncoder(load_installed(model)).eval().to(self.device)
        self._compiled: Any = _compiled(self._eager) if compiled else None
        self._mean = torch.tensor(model.mean, device=self.device).reshape(1, 3, 1, 1)
        self._std = torch.tensor(model.std, device=self.device).reshape(1, 3, 1, 1)

    def encode(self, pixels: npt.NDArray[np.uint8]) -> Embedding:
        """See `Encoder.encode`."""
        (embedding,) = self.encode_many([pixels])
        return embedding

    def encode_many(self, windows: Sequence[npt.NDArray[np.uint8]]) -> list[Embedding]:
        """See `Encoder.encode_many`."""
        done: list[Embedding] = []
        while len(done) < len(windows):
            some = windows[len(done) : len(done) + self.batch]
            try:
                done += self._together(some)
            except torch.cuda.OutOfMemoryError:
                if len(some) == 1:
                    raise
                self.batch = (len(some) + 1) // 2
                log.warning(
                    "The graphics card has no room for %d windows at once; %d from now on", len(some), self.batch
                )
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
        return done

    def _together(self, windows: Sequence[npt.NDArray[np.uint8]]) -> list[Embedding]:
        with torch.inference_mode(), self._precision():
            features = self._features(self._input(windows))
        arrays = [one.float().cpu().numpy() for one in features]
        return [Embedding(*(array[i : i + 1].copy() for array in arrays)) for i in range(len(windows))]

    def _features(self, image: torch.Tensor) -> Any:
        """What is compiled is first built here; where that cannot be done, the model goes on as it is."""
        if self._compiled is not None:
            try:
                return self._compiled(image)
            except torch.cuda.OutOfMemoryError:
                raise
            except Exception as error:  # of the compilers, which have no common base
                _not_compiled(error)
                self._compiled = None
        return self._eager(image)

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


def _compiled(encoder: Any) -> Any:
    """A compiled model, or None where torch cannot compile here."""
    try:
        return torch.compile(encoder, dynamic=False)
    except Exception as error:  # a Python or a system that torch does not compile for
        _not_compiled(error)
        return None


def _not_compiled(error: Exception) -> None:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    log.warning("torch cannot compile the encoder here (%s); it goes on without. Unset EDGEWISE_TORCH_COMPILE.", reason)


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself (AVX512-BF16 or AMX); elsewhere it is slower than float32."""
    return any(
        bool(getattr(torch.cpu, name, lambda: False)())
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
