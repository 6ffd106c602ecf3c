"""Statistics of each band over the whole raster, from its overviews."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp

SAMPLE_PX = 1500


def band_statistics(path: Path) -> list[dict[str, float] | None]:
    """`{min, max, p2, p98, mean, std}` of each band over its valid pixels; None for alpha or where there is none.

    Read at no more than 1,500 px a side, from the overviews: the same for every window of the raster.
    """
    found: list[dict[str, float] | None] = []
    with rasterio.open(path, driver="GTiff") as dataset:
        scale = min(1.0, SAMPLE_PX / max(dataset.width, dataset.height))
        shape = (max(1, round(dataset.height * scale)), max(1, round(dataset.width * scale)))
        for index, interpretation in zip(dataset.indexes, dataset.colorinterp, strict=True):
            if interpretation == ColorInterp.alpha:
                found.append(None)
                continue
            found.append(_of_band(dataset, index, shape))
    return found


def _of_band(dataset: Any, index: int, shape: tuple[int, int]) -> dict[str, float] | None:
    values = dataset.read(index, out_shape=shape)
    kept = values[dataset.read_masks(index, out_shape=shape) > 0].astype(np.float64)
    kept = kept[np.isfinite(kept)]
    if kept.size == 0:
        return None
    p2, p98 = np.percentile(kept, [2, 98])
    return {
        "min": float(kept.min()),
        "max": float(kept.max()),
        "p2": float(p2),
        "p98": float(p98),
        "mean": float(kept.mean()),
        "std": float(kept.std()),
    }
