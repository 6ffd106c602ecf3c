"""Statistics of each band over the whole raster, from its overviews."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp

from backend.rasters.reading import valid_pixels

SAMPLE_PX = 1500
COLLAR_SHARE = 0.001  # from this share on, a lowest value far below all others is taken for an unmarked collar


@dataclass(frozen=True)
class BandStatistics:
    """Of the valid pixels: `stats` for people (None where there are none), `stretch` for the first recipe."""

    stats: dict[str, float] | None
    stretch: tuple[float, float]


def band_statistics(path: Path) -> list[BandStatistics]:
    """Statistics of each band of a COG; none for alpha bands.

    Read at no more than 1,500 px a side, from the overviews: the same for every window of the raster.
    """
    with rasterio.open(path, driver="GTiff") as dataset:
        scale = min(1.0, SAMPLE_PX / max(dataset.width, dataset.height))
        shape = (max(1, round(dataset.height * scale)), max(1, round(dataset.width * scale)))
        return [
            BandStatistics(None, (0.0, 255.0))
            if interpretation == ColorInterp.alpha
            else _of_values(_valid_values(dataset, index, shape))
            for index, interpretation in zip(dataset.indexes, dataset.colorinterp, strict=True)
        ]


def _valid_values(dataset: Any, index: int, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    values = dataset.read([index], out_shape=(1, *shape))
    kept: npt.NDArray[np.float64] = values[0][valid_pixels(dataset, [index], values)].astype(np.float64)
    return kept


def _of_values(values: npt.NDArray[np.float64]) -> BandStatistics:
    if values.size == 0:
        return BandStatistics(None, (0.0, 255.0))
    low, high = np.percentile(values, [2, 98])
    stats = {
        "min": float(values.min()),
        "max": float(values.max()),
        "p2": float(low),
        "p98": float(high),
        "mean": float(values.mean()),
        "std": float(values.std()),
    }
    return BandStatistics(stats, _stretch(values))


def _stretch(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """From the 2nd to the 98th percentile, without an unmarked collar of the lowest value (often 0) around the data."""
    lowest, highest = float(values.min()), float(values.max())
    inner = values[values > lowest]
    if 0 < inner.size < (1 - COLLAR_SHARE) * values.size:
        low, high = (float(edge) for edge in np.percentile(inner, [2, 98]))
        if low < high and low - lowest > high - low:
            return low, high
    low, high = (float(edge) for edge in np.percentile(values, [2, 98]))
    if low >= high:
        low, high = lowest, highest
    return (low, high) if low < high else (lowest - 1, lowest + 1)
