"""The features of one window for one model."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SHAPES = {
    "image_embed": (1, 256, 64, 64),
    "high_res_feats_0": (1, 32, 256, 256),
    "high_res_feats_1": (1, 64, 128, 128),
}


@dataclass(frozen=True, eq=False)
class Embedding:
    """SAM 2.1's stored features, float32: `image_embed` (1, 256, 64, 64) and the two high-resolution maps."""

    image_embed: npt.NDArray[np.float32]
    high_res_feats_0: npt.NDArray[np.float32]
    high_res_feats_1: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, shape in SHAPES.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, not {shape}")

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.image_embed.nbytes + self.high_res_feats_0.nbytes + self.high_res_feats_1.nbytes
