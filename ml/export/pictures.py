"""Pictures that comparisons are made on."""

import numpy as np
import numpy.typing as npt

FRAME = 1024


def picture(seed: int) -> npt.NDArray[np.uint8]:
    """A picture (1024, 1024, 3) with large, small and no structure."""
    rng = np.random.default_rng(seed)
    layers = [np.kron(rng.integers(0, 256, (n, n, 3)), np.ones((FRAME // n, FRAME // n, 1))) for n in (8, 64, 1024)]
    return np.clip(sum(layers) / len(layers), 0, 255).astype(np.uint8)
