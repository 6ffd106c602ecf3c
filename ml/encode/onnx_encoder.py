"""Encodes a window on the processor through ONNX Runtime."""

import logging
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

from ml.embeddings.features import Embedding
from ml.models.installed import InstalledModel, ModelError, ModelFile
from ml.models.sessions import ENCODER_INPUTS, FEATURES, open_session

log = logging.getLogger(__name__)


class Encoder(Protocol):
    """Whatever turns pixels into an embedding of its model."""

    model: InstalledModel
    batch: int  # windows that it likes to be given together

    def encode(self, pixels: npt.NDArray[np.uint8]) -> Embedding:
        """The embedding of uint8 RGB pixels of shape (H, W, 3), H and W at most the model's input size."""

    def encode_many(self, windows: Sequence[npt.NDArray[np.uint8]]) -> list[Embedding]:
        """The embeddings of several windows, in their order; faster than one by one where the device gains by it."""


class OnnxEncoder:
    """The exported image encoder of a SAM 2.1 model; one session, to be used from one thread at a time.

    `on_card` runs it on an NVIDIA card, where the runtime has that.
    """

    batch = 1

    def __init__(
        self,
        model: InstalledModel,
        threads: int = 1,
        *,
        on_card: bool = False,
        exact: bool = False,
        file: ModelFile | None = None,
    ) -> None:
        """On a processor the model's quick encoder is taken where it has one, unless `exact`; or any other `file`.

        One that this runtime cannot open is passed over, where the exported one makes the same embeddings. Raises
        `ModelError`, also where the runtime would go on without the card that was asked for.
        """
        self.model = model
        quick = None if exact or on_card or file else model.encoder_quick
        self._session = (self._quick_session(quick, threads) if quick else None) or open_session(
            file or model.encoder, threads, ENCODER_INPUTS, FEATURES, on_card=on_card
        )

    def _quick_session(self, quick: ModelFile, threads: int) -> onnxruntime.InferenceSession | None:
        try:
            return open_session(quick, threads, ENCODER_INPUTS, FEATURES)
        except ModelError as error:
            if self.model.own_embeddings:
                raise
            log.warning("The exported encoder of %s is used, which is slower: %s", self.model.name, error)
            return None

    def encode(self, pixels: npt.NDArray[np.uint8]) -> Embedding:
        """See `Encoder.encode`. Smaller windows are padded at the right and below. Raises `ValueError`."""
        image = prepare(pixels, self.model)
        embed, high_0, high_1 = self._session.run(list(FEATURES), {"image": image})
        return Embedding(embed, high_0, high_1)

    def encode_many(self, windows: Sequence[npt.NDArray[np.uint8]]) -> list[Embedding]:
        """See `Encoder.encode_many`. One by one: a processor gains nothing from batches."""
        return [self.encode(pixels) for pixels in windows]


def prepare(pixels: npt.NDArray[np.uint8], model: InstalledModel) -> npt.NDArray[np.float32]:
    """The model's input (1, 3, S, S): RGB / 255, less the mean, over the deviation; padding is the mean colour."""
    size = model.input_size
    height, width = check_pixels(pixels, size)
    mean = np.asarray(model.mean, np.float32)
    std = np.asarray(model.std, np.float32)
    image = np.zeros((1, 3, size, size), np.float32)
    scaled = (pixels.astype(np.float32) / np.float32(255) - mean) / std
    image[0, :, :height, :width] = scaled.transpose(2, 0, 1)
    return image


def check_pixels(pixels: npt.NDArray[np.uint8], size: int) -> tuple[int, int]:
    """Height and width of pixels that can be a window of at most this side. Raises `ValueError`."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels must be uint8 of shape (H, W, 3), not {pixels.dtype} {pixels.shape}")
    height, width = pixels.shape[:2]
    if not (0 < height <= size and 0 < width <= size):
        raise ValueError(f"a window has 1 to {size} px a side, not {width} x {height}")
    return height, width
