"""Every raster below a folder through the real preparation: shown rightly, or refused with its reason.

`python -m tests.support.raster_table FOLDER [SHEET.png]` prints the table, and draws a sheet of what would be seen.
"""

import io
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIXES = {".tif", ".tiff", ".gtif", ".gtiff", ".vrt", ".jp2", ".png", ".jpg", ".gif", ".img", ".nc"}


@dataclass(frozen=True)
class Line:
    """One raster's fate."""

    name: str
    outcome: str
    detail: str
    seconds: float
    picture: Any = None


def lines(folder: Path) -> list[Line]:
    """Prepares each file of the folder as if it were uploaded; needs Django and a database, and rolls back."""
    return [_line(folder, path) for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]


def table(found: list[Line]) -> str:
    """The lines as text, with a count of each outcome."""
    counts = Counter(line.outcome for line in found)
    body = [f"{line.outcome:<26}{line.seconds:>6.1f} s  {line.name}: {line.detail}" for line in found]
    return "\n".join([*body, "", *(f"{count:>5}  {outcome}" for outcome, count in counts.most_common())])


def _line(folder: Path, path: Path) -> Line:
    from django.db import transaction

    from backend.accounts.models import User
    from backend.projects.models import Project
    from backend.rasters import jobs, reading, services
    from backend.rasters.errors import RasterRefusedError
    from backend.rasters.models import Raster

    began = time.monotonic()
    name = str(path.relative_to(folder))
    with transaction.atomic():
        user = User.objects.create(username=f"table-{os.getpid()}")
        project = Project.objects.create(name="table", created_by=user)
        raster = Raster.objects.create(
            project=project, name=path.name, state="inspecting", source_path="", created_by=user
        )
        raster.source_path = f"rasters/{raster.id}/source.tif"
        source = services.source_of(raster)
        source.parent.mkdir(parents=True)
        shutil.copyfile(path, source)
        for suffix, target in ((".tfw", ".tfw"), (".prj", ".prj"), (path.suffix + ".aux.xml", ".tif.aux.xml")):
            if path.with_suffix(suffix).exists():
                shutil.copyfile(path.with_suffix(suffix), source.with_name("source" + target))
        try:
            facts = jobs._inspected(raster)
            jobs._store_header(raster, facts)
            jobs._store_pixels(raster, facts, jobs._converted(raster, facts, lambda: False))
            small = reading.read_small(raster, 192)
            x, y, z = _centre_tile(raster)
            tile = reading.read_tile(raster, x, y, z)
            shown = tile is not None and bool(tile.valid.any())
            detail = f"{raster.width}x{raster.height}x{len(raster.bands)} {raster.bands[0]['dtype']} {raster.crs_name}"
            outcome = "shown" if shown and small.valid.any() else "SHOWN EMPTY"
            line = Line(name, outcome, detail, time.monotonic() - began, small)
        except RasterRefusedError as refused:
            line = Line(name, refused.code, refused.message, time.monotonic() - began)
        finally:
            reading.forget_handles()
            shutil.rmtree(services.folder_of(raster.id), ignore_errors=True)
            transaction.set_rollback(True)
    return line


def _centre_tile(raster: Any) -> tuple[int, int, int]:
    """A tile that is sure to hold data, if any does: the one of the footprint's inner point, at the lowest zoom."""
    from backend.rasters import reading

    point = raster.footprint.point_on_surface
    tile = reading.GRID.tile(point.x, max(-85.0, min(85.0, point.y)), raster.minzoom)
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
        everything = lines(Path(sys.argv[1]))
        print(table(everything))
        if len(sys.argv) > 2:
            _sheet(everything, Path(sys.argv[2]))
