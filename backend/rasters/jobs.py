"""Prepares a raster: inspect its header, make a COG, take statistics, and only then show it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import rasterio
import shapely
from affine import Affine
from django.conf import settings
from django.contrib.gis.geos import GEOSGeometry
from django.db import transaction

from backend.jobs import services as jobs
from backend.rasters import services
from backend.rasters.errors import RasterRefusedError
from backend.rasters.inspection import KEPT_DTYPES
from backend.rasters.models import Raster
from backend.rasters.reading import zoom_range
from backend.rasters.recipes import default_recipe, recipe_hash
from backend.rasters.statistics import band_statistics
from ml.frames import FrameError, RasterFrame, readable_crs

INSPECT_SECONDS = 30
SPARE_DISK = 512 * 1024 * 1024


def prepare(job_id: str, should_abort: Callable[[], bool]) -> None:
    """The job `rasters.prepare`; a repeat begins again and is harmless."""
    job = jobs.start(UUID(job_id))
    raster = Raster.objects.filter(id=job.raster_id).first() if job and job.raster_id else None
    if job is None or raster is None:
        return
    try:
        facts = _inspected(raster)
        _store_header(raster, facts)
        jobs.progress(job.id, done=1)
        target = _converted(raster, facts, should_abort)
        jobs.progress(job.id, done=2)
        _store_pixels(raster, facts, target)
    except RasterRefusedError as refused:
        _refuse(raster, refused)
        jobs.finish(job.id, error={"code": refused.code, "message": refused.message})
    else:
        jobs.finish(job.id, counts={"done": 3})


def _inspected(raster: Raster) -> dict[str, Any]:
    source = services.source_of(raster)
    if not source.is_file():
        raise RasterRefusedError("raster.missing")
    command = [sys.executable, "-m", "backend.rasters.inspection", str(source), raster.given_crs]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=INSPECT_SECONDS,
            check=False,
            cwd=settings.ROOT,
            env=_bare_environment(),
        )
    except subprocess.TimeoutExpired as error:
        raise RasterRefusedError("raster.too_demanding") from error
    if done.returncode != 0:
        raise RasterRefusedError("raster.too_demanding" if done.returncode < 0 else "raster.corrupt")
    facts: dict[str, Any] = json.loads(done.stdout)
    if "refused" in facts:
        raise RasterRefusedError(facts["refused"])
    return facts


def _store_header(raster: Raster, facts: dict[str, Any]) -> None:
    """Checks that the raster lies somewhere on Earth, and stores where. Raises `RasterRefusedError`."""
    try:
        crs = readable_crs(facts["crs"])
        transform = Affine(*facts["transform"])
        frame = RasterFrame(crs.to_wkt(), transform, facts["width"], facts["height"])
        footprint = shapely.make_valid(frame.footprint_lonlat())
        pixel_size = frame.pixel_size_m()
    except FrameError as error:
        raise RasterRefusedError("raster.unsupported_crs") from error
    west, south, east, north = footprint.bounds
    if west < -180.01 or east > 180.01 or south < -90.01 or north > 90.01 or footprint.is_empty:
        raise RasterRefusedError("raster.out_of_world")
    if crs.ellipsoid is None or not 6.3e6 < crs.ellipsoid.semi_major_metre < 6.5e6:  # another body than the Earth
        raise RasterRefusedError("raster.unsupported_crs")
    raster.crs, raster.crs_name, raster.epsg = crs.to_wkt(), crs.name[:200], crs.to_epsg()
    raster.transform = facts["transform"]
    raster.width, raster.height = facts["width"], facts["height"]
    raster.bands, raster.palette = facts["bands"], facts["palette"]
    raster.pixel_size_m = [round(size, 6) for size in pixel_size]
    raster.footprint = GEOSGeometry(memoryview(shapely.to_wkb(footprint)), srid=4326)
    raster.acquired_on = raster.acquired_on or facts["acquired_on"]
    raster.state = Raster.State.PREPARING
    with transaction.atomic():
        raster.save()
        services.told(Raster.objects.get(id=raster.id), "raster.changed", raster.created_by_id)


def _converted(raster: Raster, facts: dict[str, Any], should_abort: Callable[[], bool]) -> Path:
    """Makes the COG in a process of its own. Raises `RasterRefusedError`, `Stopped`."""
    folder = services.folder_of(raster.id)
    folder.mkdir(parents=True, exist_ok=True)
    _room_for(folder, services.source_of(raster).stat().st_size)
    target = folder / f"cog-{raster.version}.tif"
    kept = all(band["dtype"] in KEPT_DTYPES for band in facts["bands"])
    order = {
        "source": str(services.source_of(raster)),
        "target": str(target),
        "crs": raster.crs,
        "transform": facts["transform"],
        "as_float32": not kept,
        "palette": facts["palette"] is not None,
        "jpeg": (facts["compression"] or "") in {"JPEG", "YCBCR JPEG"} and len(facts["bands"]) == 3,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json", dir=folder, delete=False) as file:
        json.dump(order, file)
    try:
        _run_conversion(file.name, folder, should_abort)
    finally:
        Path(file.name).unlink(missing_ok=True)
    return target


def _run_conversion(order: str, folder: Path, should_abort: Callable[[], bool]) -> None:
    command = [sys.executable, "-m", "backend.rasters.conversion", order]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stderr=said, stdout=said, cwd=settings.ROOT, env=_bare_environment())
        try:
            while process.poll() is None:
                if should_abort():
                    raise jobs.Stopped
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            for left in folder.glob(".making-*"):
                shutil.rmtree(left, ignore_errors=True)
        if process.returncode != 0:
            said.seek(0)
            words = said.read()[-4000:].decode(errors="replace")
            full = "No space left" in words or "Free disk space" in words or shutil.disk_usage(folder).free < SPARE_DISK
            raise RasterRefusedError("raster.no_disk" if full else "raster.corrupt")


def _store_pixels(raster: Raster, facts: dict[str, Any], target: Path) -> None:
    """Takes the statistics, chooses the recipe and makes the raster viewable, in one step."""
    statistics = band_statistics(target)
    if all(found is None for found in statistics):
        raise RasterRefusedError("raster.empty")
    raster.bands = [{**band, "stats": stats} for band, stats in zip(facts["bands"], statistics, strict=True)]
    recipe = default_recipe(raster.bands, palette=raster.palette is not None)
    raster.recipe = raster.recipe or recipe
    raster.recipe_hash = recipe_hash(raster.recipe, 0)
    raster.cog_path = str(target.relative_to(settings.DATA_DIR))
    with rasterio.open(target, driver="GTiff") as dataset:
        raster.minzoom, raster.maxzoom = zoom_range(dataset.crs, dataset.transform, dataset.width, dataset.height)
    raster.state, raster.error = Raster.State.VIEWABLE, None
    raster.version += 1
    with transaction.atomic():
        if not Raster.objects.select_for_update().filter(id=raster.id).exists():
            shutil.rmtree(services.folder_of(raster.id), ignore_errors=True)  # removed meanwhile
            return
        raster.save()
        services.told(Raster.objects.get(id=raster.id), "raster.changed", raster.created_by_id)
    for old in services.folder_of(raster.id).glob("cog-*.tif"):
        if old != target:
            old.unlink(missing_ok=True)


def _refuse(raster: Raster, refused: RasterRefusedError) -> None:
    with transaction.atomic():
        changed = Raster.objects.filter(id=raster.id).update(state=Raster.State.REFUSED, error=refused.as_row())
        if changed:
            services.told(Raster.objects.get(id=raster.id), "raster.changed", raster.created_by_id)


def _room_for(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size + SPARE_DISK:
        raise RasterRefusedError("raster.no_disk")


def _bare_environment() -> dict[str, str]:
    """What a process that opens a stranger's file gets to see: no secrets, no database, no network settings."""
    kept = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
        "GDAL_HTTP_TIMEOUT": "1",
    }
