"""Small GeoTIFFs made on the spot, and rasters prepared from them by the real job."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from backend.accounts.models import User
from backend.events.models import Event
from backend.jobs.models import Job
from backend.projects.models import Project
from backend.rasters import jobs, services
from backend.rasters.models import Raster
from tests.support.worlds import World, client_of

UTM33 = "EPSG:32633"
NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000)


def checks(height: int, width: int, bands: int = 3, square: int = 16) -> npt.NDArray[np.uint8]:
    """A chess board, another grey in each band."""
    rows, cols = np.indices((height, width)) // square
    board = ((rows + cols) % 2).astype(np.uint8)
    return np.stack([40 + board * (200 - 30 * band) for band in range(bands)]).astype(np.uint8)


def make_tif(
    path: Path,
    values: npt.NDArray[Any] | None = None,
    *,
    crs: str | None = UTM33,
    transform: Affine | None = NORTH_UP,
    mask: npt.NDArray[np.bool_] | None = None,
    palette: dict[int, tuple[int, ...]] | None = None,
    interpretation: Sequence[Any] = (),
    **profile: Any,
) -> Path:
    """Writes a GeoTIFF of values (bands, height, width)."""
    values = checks(96, 128) if values is None else values
    count, height, width = values.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(
                path, "w", driver="GTiff", width=width, height=height, count=count,
                dtype=values.dtype, crs=crs, transform=transform, **profile,
            ) as made,
        ):  # fmt: skip
            if palette:
                made.write_colormap(1, palette)
            if interpretation:
                made.colorinterp = tuple(interpretation)
            made.write(values)
            if mask is not None:
                made.write_mask(mask)
    return path


def received(project: Project, user: User, path: Path) -> Raster:
    """A raster whose file has arrived whole and whose preparation is queued."""
    raster = Raster.objects.create(
        project=project,
        name=path.name,
        state=Raster.State.UPLOADING,
        source_path=str(path),
        source_is_ours=True,
        size_bytes=path.stat().st_size,
        created_by=user,
    )
    services.uploaded(raster, actor=user)
    return raster


def prepared(project: Project, user: User, path: Path) -> Raster:
    """What the worker makes of a file: viewable, or refused."""
    raster = received(project, user, path)
    run(raster)
    return raster


def run(raster: Raster) -> Job:
    """Runs the raster's newest preparation here, and gives the job as it ended; `raster` is read anew."""
    job = Job.objects.filter(raster_id=raster.id, kind="prepare").latest("created_at")
    jobs.prepare(str(job.id), lambda: False)
    raster.refresh_from_db()
    job.refresh_from_db()
    return job


def lonlat_of(raster: Raster, col: float, row: float) -> tuple[float, float]:
    """Lon/lat of a pixel position, by GDAL and not by the code under test."""
    from rasterio.warp import transform

    x, y = Affine(*raster.transform) @ (col, row)
    (lon,), (lat,) = transform(raster.crs, "EPSG:4326", [x], [y])
    return lon, lat


def body(response: Any) -> Any:
    """The JSON of an answer."""
    return json.loads(response.content)


def register(world: World, path: str, **more: Any) -> Any:
    return client_of(world.owner).post(f"/api/projects/{world.project.id}/rasters", {"path": path, **more})


def registered(world: World, surveys: Path, name: str = "field.tif") -> Raster:
    make_tif(surveys / name)
    raster = Raster.objects.get(id=body(register(world, f"surveys/{name}"))["id"])
    run(raster)
    return raster


def kinds_of(raster_id: UUID) -> list[str]:
    return list(Event.objects.filter(subject_id=raster_id).order_by("seq").values_list("kind", flat=True))
