"""Prepares a raster: inspect its header, make a COG, take statistics, and only then show it."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import shapely
from django.conf import settings
from django.contrib.gis.geos import GEOSGeometry
from django.db import transaction

from backend.core.errors import Invalid
from backend.jobs import services as jobs
from backend.rasters import processes, services
from backend.rasters.errors import RasterRefusedError
from backend.rasters.folders import still_allowed
from backend.rasters.inspection import KEPT_DTYPES
from backend.rasters.models import Raster
from backend.rasters.placing import Place, place_of
from backend.rasters.recipes import clean_recipe, default_recipe, recipe_hash
from backend.rasters.statistics import band_statistics

INSPECTED, CONVERTED, ALL = 2, 95, 100  # per cent of the job
CONVERSION = 1  # rises when the same file would give other pixels than before


def prepare(job_id: str, should_abort: Callable[[], bool]) -> None:
    """The job `rasters.prepare`; a repeat begins again and is harmless."""
    job = jobs.start(UUID(job_id))
    if job is None:
        return
    raster = Raster.objects.filter(id=job.raster_id).first() if job.raster_id else None
    if raster is None:
        jobs.finish(job.id)
        return
    try:
        _prepare(job.id, raster, should_abort)
    except RasterRefusedError as refused:
        services.refuse(raster.id, refused.as_row())
        jobs.finish(job.id, error={"code": refused.code, "message": refused.message})
    else:
        jobs.finish(job.id, counts={"done": ALL})


def _prepare(job_id: UUID, raster: Raster, should_abort: Callable[[], bool]) -> None:
    """Raises `RasterRefusedError`, `Stopped`."""
    facts = _inspected(raster)
    place = place_of(facts["crs"], facts["transform"], facts["width"], facts["height"])
    _store_header(raster, facts, place)
    jobs.progress(job_id, done=INSPECTED)
    target = services.folder_of(raster.id) / f"cog-{raster.version}.tif"
    processes.converted(_order(raster, facts, place, target), should_abort, _teller(job_id))
    jobs.progress(job_id, done=CONVERTED)
    try:
        _store_pixels(raster, target)
    except RasterRefusedError:
        target.unlink(missing_ok=True)
        raise


def _inspected(raster: Raster) -> dict[str, Any]:
    """What the header says; looked at again when a sidecar has come in between."""
    while True:
        source = services.source_of(raster)
        if not source.is_file() or not (raster.source_is_ours or still_allowed(source)):
            raise RasterRefusedError("raster.missing")
        beside = _sidecars(source)
        try:
            return processes.inspected(source, raster.given_crs)
        except RasterRefusedError:
            if _sidecars(source) == beside:
                raise


def _sidecars(source: Path) -> list[tuple[str, int]]:
    """What lies beside an uploaded file, and since when."""
    found = source.parent.glob(f"{source.stem}.*") if source.stem == "source" else []
    return sorted((path.name, path.stat().st_mtime_ns) for path in found)


def _store_header(raster: Raster, facts: dict[str, Any], place: Place) -> None:
    header = {
        "crs": place.crs,
        "crs_name": place.crs_name,
        "epsg": place.epsg,
        "transform": facts["transform"],
        "width": facts["width"],
        "height": facts["height"],
        "bands": facts["bands"],
        "palette": facts["palette"],
        "pixel_size_m": list(place.pixel_size_m),
        "minzoom": place.minzoom,
        "maxzoom": place.maxzoom,
        "footprint": GEOSGeometry(memoryview(shapely.to_wkb(place.footprint)), srid=4326),
        "state": Raster.State.PREPARING,
        "error": None,
    }
    if raster.acquired_on is None and facts["acquired_on"]:
        header["acquired_on"] = facts["acquired_on"]
    _store(raster, header)


def _order(raster: Raster, facts: dict[str, Any], place: Place, target: Path) -> dict[str, Any]:
    dtypes = {band["dtype"] for band in facts["bands"]}
    return {
        "source": str(services.source_of(raster)),
        "target": str(target),
        "crs": place.crs,
        "transform": facts["transform"],
        "as_float32": len(dtypes) > 1 or not dtypes <= KEPT_DTYPES,
        "palette": facts["palette"] is not None,
        "jpeg": (facts["compression"] or "") in {"JPEG", "YCBCR JPEG"} and len(facts["bands"]) == 3,
    }


def _teller(job_id: UUID) -> Callable[[float], None]:
    """Passes on each new per cent of the conversion."""
    last = INSPECTED

    def tell(share: float) -> None:
        nonlocal last
        done = INSPECTED + int(share * (CONVERTED - INSPECTED - 1))
        if done > last:
            last = done
            jobs.progress(job_id, done=done)

    return tell


def _store_pixels(raster: Raster, target: Path) -> None:
    """Takes the statistics, chooses the recipe and makes the raster viewable, in one step."""
    statistics = band_statistics(target)
    if all(found.stats is None for found in statistics):
        raise RasterRefusedError("raster.empty")
    bands = [{**band, "stats": found.stats} for band, found in zip(raster.bands, statistics, strict=True)]
    pixels = _pixels_stamp(services.source_of(raster))
    recipe = _kept_recipe(raster, bands) if raster.pixels == pixels else None
    if recipe is None:
        recipe = default_recipe(bands, [found.stretch for found in statistics], palette=raster.palette is not None)
    _store(
        raster,
        {
            "bands": bands,
            "pixels": pixels,
            "recipe": recipe,
            "recipe_hash": recipe_hash(recipe, pixels),
            "cog_path": str(target.relative_to(settings.DATA_DIR)),
            "version": raster.version + 1,
            "state": Raster.State.VIEWABLE,
        },
    )
    for old in target.parent.glob("cog-*.tif"):
        if old != target:
            old.unlink(missing_ok=True)


def _kept_recipe(raster: Raster, bands: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The recipe that people have chosen for these same pixels."""
    try:
        return clean_recipe(raster.recipe, bands)
    except Invalid:
        return None


def _pixels_stamp(source: Path) -> str:
    stat = source.stat()
    return hashlib.sha256(f"{CONVERSION} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()


def _store(raster: Raster, fields: dict[str, Any]) -> None:
    """Writes these columns only, so that a name given meanwhile stays; a raster removed meanwhile is refused."""
    with transaction.atomic():
        fresh = Raster.objects.select_for_update().filter(id=raster.id).first()
        if fresh is None:
            raise jobs.Stopped
        for row in (raster, fresh):
            for name, value in fields.items():
                setattr(row, name, value)
        fresh.save(update_fields=list(fields))
        services.told(Raster.objects.get(id=raster.id), "raster.changed", raster.created_by_id)
