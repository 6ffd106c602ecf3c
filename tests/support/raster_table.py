"""Every raster below a folder through the real preparation: shown rightly, or refused with its reason.

`python -m tests.support.raster_table FOLDER [SHEET.png]` prints the table, and draws a sheet of what would be seen.
What is shown is held against rio-tiler on the file as given: the same tile, the same pixels hidden, the same colours.
"""

import io
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIXES = {".tif", ".tiff", ".gtif", ".gtiff", ".vrt", ".jp2", ".png", ".jpg", ".gif", ".img", ".nc"}
SHOWN = "shown"
LARGEST_DIFFERENCE = 6.0  # mean of |ours - theirs| over the tile, in 1/255
LEAST_AGREEMENT = 0.97  # share of the tile's pixels that both show or both hide


@dataclass(frozen=True)
class Line:
    """One raster's fate: `shown`, the code of its refusal, or what is wrong in capitals."""

    name: str
    outcome: str
    detail: str
    seconds: float
    picture: Any = None


def lines(folder: Path, alike: tuple[str, ...] = (), kept: int = 0) -> Iterator[Line]:
    """Each file of the folder as if it were uploaded; needs Django and a database, and leaves nothing behind.

    Of each set `alike` only the first `kept` files are taken.
    """
    taken: Counter[str] = Counter()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        name = str(path.relative_to(folder))
        group = next((start for start in alike if name.startswith(start)), "")
        taken[group] += 1
        if group and taken[group] > kept:
            continue
        began = time.monotonic()
        outcome, detail, picture = _fate(path)
        yield Line(name, outcome, detail, time.monotonic() - began, picture)


def table(found: list[Line]) -> str:
    """The lines as text, with a count of each outcome."""
    counts = Counter(line.outcome for line in found)
    body = [f"{line.outcome:<26}{line.seconds:>6.1f} s  {line.name}: {line.detail}" for line in found]
    return "\n".join([*body, "", *(f"{count:>5}  {outcome}" for outcome, count in counts.most_common())])


def _fate(path: Path) -> tuple[str, str, Any]:
    from backend.core.errors import EdgewiseError
    from backend.rasters import uploads

    with _project() as (project, user):
        try:
            uploads.begin(project.id, max(path.stat().st_size, 1), {"filename": path.name}, actor=user)
        except EdgewiseError as error:
            return error.code, error.message, None
        raster = _received(project, user, path)
        if raster.state != "viewable":
            return raster.error["code"], f"{raster.error['message']} {raster.error['remedy']}", None
        from backend.rasters import reading

        small = reading.read_small(raster, 192)
        problem = "SHOWN EMPTY" if not small.valid.any() else _problem(raster, path)
        detail = f"{raster.width}x{raster.height}x{len(raster.bands)} {raster.bands[0]['dtype']} {raster.crs_name}"
        return problem or SHOWN, detail, small


@contextmanager
def _project() -> Iterator[tuple[Any, Any]]:
    from django.conf import settings
    from django.db import transaction

    from backend.accounts.services import create_user
    from backend.projects.services import create_project
    from backend.rasters import reading

    with transaction.atomic():
        user = create_user(f"table-{os.getpid()}-{time.monotonic_ns()}", "correct horse battery", "Table")
        yield create_project(user, "table"), user
        transaction.set_rollback(True)
    reading.forget_handles()
    shutil.rmtree(Path(settings.DATA_DIR, "rasters"), ignore_errors=True)


def _received(project: Any, user: Any, path: Path) -> Any:
    """The raster as the worker leaves it, with the sidecars that lie beside the file."""
    from django.conf import settings

    from tests.support.rasters import prepared

    folder = Path(settings.DATA_DIR, "rasters", "table")
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "source.tif"
    shutil.copyfile(path, source)
    for beside, target in ((".tfw", ".tfw"), (".prj", ".prj"), (f"{path.suffix}.aux.xml", ".tif.aux.xml")):
        if path.with_suffix(beside).exists():
            shutil.copyfile(path.with_suffix(beside), folder / f"source{target}")
    return prepared(project, user, source)


def _problem(raster: Any, path: Path) -> str:
    """What is wrong with the tile in the middle, held against rio-tiler's of the file as given; empty if nothing."""
    import numpy as np
    from rio_tiler.errors import RioTilerError
    from rio_tiler.io import Reader

    from backend.rasters.recipes import apply_recipe
    from backend.rasters.warping import read_tile

    x, y, z = _middle_tile(raster)
    ours = read_tile(raster, x, y, z)
    if ours is None or not ours.valid.any():
        return "TILE EMPTY"
    bands = list(dict.fromkeys(raster.recipe["bands"]))
    how: Any = "nearest" if raster.palette else "bilinear"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Reader(str(path)) as reader:
                theirs = reader.tile(x, y, z, indexes=tuple(bands), reproject_method=how)
        except RioTilerError:
            return ""  # no oracle for this one
    values = theirs.array.data[[bands.index(band) for band in raster.recipe["bands"]]]
    expected = apply_recipe(np.asarray(values), raster.recipe, raster.palette)
    shown = (theirs.mask > 0) & np.isfinite(values).all(axis=0)  # rio-tiler shows NaN where nodata is a number
    if (shown == ours.valid).mean() < LEAST_AGREEMENT:
        return "SHOWN ELSEWHERE"
    both = shown & ours.valid
    difference = np.abs(expected[both].astype(float) - ours.rgb[both]).mean() if both.any() else 0.0
    return "SHOWN OTHERWISE" if difference > LARGEST_DIFFERENCE else ""


def _middle_tile(raster: Any) -> tuple[int, int, int]:
    """The tile under the middle of the data, at the highest zoom at which a good part of it is filled."""
    import morecantile
    import numpy as np

    from backend.rasters.reading import dataset_of, valid_pixels
    from backend.rasters.warping import read_tile
    from tests.support.rasters import lonlat_of

    grid = morecantile.tms.get("WebMercatorQuad")
    dataset = dataset_of(raster, 0)
    shape = (min(200, raster.height), min(200, raster.width))
    values = dataset.read([1], out_shape=(1, *shape))
    places = np.argwhere(valid_pixels(dataset, [1], values))
    row, col = places[np.abs(places - places.mean(axis=0)).sum(axis=1).argmin()] + 0.5
    lon, lat = lonlat_of(raster, col * raster.width / shape[1], row * raster.height / shape[0])
    lon, lat = (lon + 180) % 360 - 180, max(-85.0, min(85.0, lat))
    for zoom in range(raster.maxzoom + 1, raster.minzoom, -1):
        tile = grid.tile(lon, lat, zoom)
        seen = read_tile(raster, tile.x, tile.y, zoom)
        if seen is not None and seen.valid.mean() > 0.2:
            break
    else:
        tile = grid.tile(lon, lat, raster.minzoom)
    return tile.x, tile.y, tile.z


def _sheet(found: list[Line], path: Path) -> None:
    import numpy as np
    from PIL import Image, ImageDraw

    shown = [line for line in found if line.picture is not None]
    sheet = Image.new("RGB", (8 * 200, (len(shown) + 7) // 8 * 216), (60, 60, 60))
    pen = ImageDraw.Draw(sheet)
    for index, line in enumerate(shown):
        left, top = index % 8 * 200, index // 8 * 216
        rgba = np.dstack([line.picture.rgb, np.where(line.picture.valid, 255, 0).astype(np.uint8)])
        image = Image.fromarray(rgba)
        sheet.paste(image, (left + 4, top + 4), image)
        pen.text((left + 4, top + 200), line.name[-32:], fill=(255, 255, 255))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    path.write_bytes(out.getvalue())


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    with tempfile.TemporaryDirectory() as data:
        os.environ["EDGEWISE_DATA_DIR"] = data
        django.setup()
        everything = list(lines(Path(sys.argv[1])))
        print(table(everything))
        if len(sys.argv) > 2:
            _sheet(everything, Path(sys.argv[2]))
        sys.exit(any(line.outcome.isupper() for line in everything))
