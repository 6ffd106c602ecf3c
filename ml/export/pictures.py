"""Pictures that comparisons are made on."""

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt

FRAME = 1024
DEMO = Path(__file__).resolve().parents[2] / "fixtures" / "demo"
CALIBRATION_SEED = 7_000_000  # apart from the seeds of training and of held-out scenes


def overhead(many: int) -> list[npt.NDArray[np.uint8]]:
    """Pictures (1024, 1024, 3) seen from above: the demo's two dates, then painted scenes where OpenCV is installed."""
    found = [_first_window(path) for path in sorted(DEMO.glob("*.tif"))[:many]]
    if importlib.util.find_spec("cv2") is not None:
        from ml.training.scenes import make_scene

        found += [make_scene(CALIBRATION_SEED + number).image for number in range(many - len(found))]
    return found or [picture(seed) for seed in range(many)]


def _first_window(path: Path) -> npt.NDArray[np.uint8]:
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(path) as source:
        read = source.read([1, 2, 3], window=Window(0, 0, FRAME, FRAME), boundless=True)
    return np.ascontiguousarray(read.transpose(1, 2, 0), np.uint8)


def picture(seed: int) -> npt.NDArray[np.uint8]:
    """A picture (1024, 1024, 3) with large, small and no structure."""
    rng = np.random.default_rng(seed)
    layers = [np.kron(rng.integers(0, 256, (n, n, 3)), np.ones((FRAME // n, FRAME // n, 1))) for n in (8, 64, 1024)]
    return np.clip(sum(layers) / len(layers), 0, 255).astype(np.uint8)
