"""Real labelled imagery as training scenes: rasters with polygons, and folders of map tiles with polygons.

Only whole sources are given: what a model is judged by must not be among them.
"""

import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.windows import Window as ReadWindow

from ml.quality.labelled import VECTORS, Pair, pairs_in, pictures_of
from ml.quality.pictures import Picture, QualityError
from ml.training.network import FIELD
from ml.training.samples import Ids, keep_pool

TILE = re.compile(r"(?P<x>\d+)-(?P<y>\d+)-(?P<z>\d+)$")  # at the end of a tile's name
TILE_PX = 256
HALF_WORLD_M = 20037508.342789244  # EPSG:3857
EVERY_OBJECT = 1_000_000

Pixels = npt.NDArray[np.uint8]


def make_real_pool(folder: Path, sources: Sequence[Path]) -> int:
    """Writes the scenes of the sources as `samples.Pool` reads them; how many. What is there already is kept.

    Raises `QualityError` for a source without labelled pictures.
    """
    if (folder / "done").exists():
        return len(np.load(folder / "images.npy", mmap_mode="r"))
    found = [_square(picture) for source in sources for picture in _pictures(source)]
    if not found:
        raise QualityError("The folders hold no object that a window shows whole. Name others.")
    return keep_pool(folder, [pixels for pixels, _ in found], [objects for _, objects in found])


def _pictures(source: Path) -> Iterator[Picture]:
    tiles = sorted(path for path in source.iterdir() if TILE.search(path.stem))
    if not tiles:
        for pair in pairs_in(source):
            yield from pictures_of(pair, EVERY_OBJECT)
        return
    polygons = [path for path in source.iterdir() if path.suffix.lower() in VECTORS]
    if len(polygons) != 1:
        raise QualityError(f"{source.name} holds map tiles and {len(polygons)} files of polygons. Leave one there.")
    with tempfile.TemporaryDirectory() as folder:
        for number, block in enumerate(blocks(tiles)):
            raster = Path(folder) / f"{source.name}-{number}.tif"
            mosaic(block, raster)
            yield from pictures_of(Pair(raster, polygons[0]), EVERY_OBJECT)


def blocks(tiles: Sequence[Path]) -> list[dict[tuple[int, int, int], Path]]:
    """Tiles by x, y, z, in groups of those that touch each other."""
    left = {
        (int(said["x"]), int(said["y"]), int(said["z"])): path for path in tiles if (said := TILE.search(path.stem))
    }
    found = []
    while left:
        block, edge = {}, [next(iter(left))]
        while edge:
            x, y, z = place = edge.pop()
            if place in left:
                block[place] = left.pop(place)
                edge += [(x + right, y + down, z) for right in (-1, 0, 1) for down in (-1, 0, 1)]
        found.append(block)
    return found


def mosaic(block: dict[tuple[int, int, int], Path], raster: Path) -> None:
    """One raster in EPSG:3857 of tiles that touch each other."""
    columns, rows, (zoom, *_) = (sorted({place[axis] for place in block}) for axis in range(3))
    wide, high = TILE_PX * (columns[-1] - columns[0] + 1), TILE_PX * (rows[-1] - rows[0] + 1)
    pixel = 2 * HALF_WORLD_M / (TILE_PX << zoom)
    left, top = TILE_PX * columns[0] * pixel - HALF_WORLD_M, HALF_WORLD_M - TILE_PX * rows[0] * pixel
    shape = {"driver": "GTiff", "width": wide, "height": high, "count": 3, "dtype": "uint8", "photometric": "RGB"}
    place = Affine(pixel, 0, left, 0, -pixel, top)
    with rasterio.open(raster, "w", **shape, crs="EPSG:3857", transform=place) as file:
        for (x, y, _), path in block.items():
            at = ReadWindow(TILE_PX * (x - columns[0]), TILE_PX * (y - rows[0]), TILE_PX, TILE_PX)
            file.write(_tile(path), window=at)


def _tile(path: Path) -> Pixels:
    """(3, 256, 256); its place is in its name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path) as tile:
            return np.asarray(tile.read([1, 2, 3], out_shape=(3, TILE_PX, TILE_PX)))


def _square(picture: Picture) -> tuple[Pixels, Ids]:
    """A picture of the model's size, mirrored where it is smaller, and its objects' numbers; 0 is what is none."""
    rows, cols = picture.pixels.shape[:2]
    room = ((0, FIELD - rows), (0, FIELD - cols))
    objects = np.zeros((rows, cols), np.uint16)
    for number, mask in enumerate(sorted(picture.objects, key=np.count_nonzero, reverse=True), start=1):
        objects[mask] = number  # the smaller lies on the larger
    return np.pad(picture.pixels, (*room, (0, 0)), mode="symmetric"), np.pad(objects, room)
