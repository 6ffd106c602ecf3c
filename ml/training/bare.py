"""Real imagery without labels: what the model sees of it whole, cleaned of dust, is what its parts are to see of it.

A model that was taught on made scenes draws dust on real ones, otherwise in a part than in the whole window. Its own
masks, kept to what was clicked, teach it to draw whole things there (self-training), and the same in both.
"""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import rasterio

from ml.quality.labelled import RASTERS, look_of, read_window
from ml.quality.pictures import QualityError
from ml.training.network import FIELD
from ml.training.real import TILE, blocks, mosaic
from ml.training.samples import CELL, keep_pool
from ml.windows import Window

PICTURES = (".png", ".jpg", ".jpeg")  # of map tiles
LEAST_PX = 200  # a side: of smaller pictures there is little to see
LEAST_CELLS, MOST_SHARE = 8, 0.4  # of a guess: less is dust, more is the ground between things
HOLE = 0.03  # of a guess: smaller holes are filled

Mask = npt.NDArray[np.bool_]


def make_bare_pool(folder: Path, sources: Sequence[Path]) -> int:
    """Writes windows of the rasters in the sources as `samples.Pool` reads them, without objects; how many.

    Pictures that are named as map tiles are joined where they touch. What is there already is kept. Raises
    `QualityError` where there is no raster of 200 px a side.
    """
    if (folder / "done").exists():
        return len(np.load(folder / "images.npy", mmap_mode="r"))
    paths = sorted(path for source in sources for path in source.rglob("*") if path.is_file())
    found = [window for path in paths if path.suffix.lower() in RASTERS for window in _windows(path)]
    with tempfile.TemporaryDirectory() as made:
        tiles = [path for path in paths if path.suffix.lower() in PICTURES and TILE.search(path.stem)]
        for number, block in enumerate(blocks(tiles)):
            mosaic(block, Path(made) / f"{number}.tif")
            found += _windows(Path(made) / f"{number}.tif")
    if not found:
        raise QualityError(f"The folders hold no raster of {LEAST_PX} px a side. Name others.")
    return keep_pool(folder, found, [np.zeros((FIELD, FIELD), np.uint16)] * len(found))


def _windows(path: Path) -> list[npt.NDArray[np.uint8]]:
    """Those of a raster, side by side, mirrored where they are smaller than the model's frame."""
    found = []
    with _open(path) as raster:
        bands, ranges = look_of(raster)
        for row in range(0, max(1, raster.height - LEAST_PX), FIELD):
            for col in range(0, max(1, raster.width - LEAST_PX), FIELD):
                pixels = read_window(raster, Window(col, row, FIELD), bands, ranges)
                rows, cols = pixels.shape[:2]
                if min(rows, cols) < LEAST_PX:
                    continue
                found.append(np.pad(pixels, ((0, FIELD - rows), (0, FIELD - cols), (0, 0)), mode="symmetric"))
    return found


def _open(path: Path) -> Any:
    """A raster, wherever it lies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path)


def cleaned(logits: npt.NDArray[np.float32], click: npt.NDArray[np.float32]) -> Mask | None:
    """The part of a mask, logits (h, w), that a click (x, y) px lies on, without small holes.

    None where the click lies on none, or on one that is too small or too large to be a thing.
    """
    inside = (logits > 0).astype(np.uint8)
    col, row = (int(place // CELL) for place in click)
    _, parts = cv2.connectedComponents(inside, connectivity=4)
    if not parts[row, col]:
        return None
    found = parts == parts[row, col]
    area = np.count_nonzero(found)
    if not LEAST_CELLS <= area <= MOST_SHARE * found.size:
        return None
    _, gaps, stats, _ = cv2.connectedComponentsWithStats((~found).astype(np.uint8), connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] < HOLE * area
    small[0] = False
    return np.asarray(found | small[gaps])
