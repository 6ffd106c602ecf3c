"""Reads rasters, and says them as the wire has them."""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from uuid import UUID

from affine import Affine

from backend.core.clock import iso
from backend.projects.policies import not_found
from backend.rasters.models import Raster, Upload
from ml.frames import RasterFrame

# The room above tells how much of a raster is encoded: rasters -> {id: {planned, ready, failed, skipped, model}}.
EncodeTotals = Callable[[list[Raster]], dict[UUID, dict[str, Any]]]
encode_totals: list[EncodeTotals] = []


def raster_of(raster_id: UUID) -> Raster:
    """The raster; raises `raster.not_found`. The caller asks the policy next, for its project."""
    row = Raster.objects.select_related("project", "created_by").filter(id=raster_id).first()
    if row is None:
        raise not_found("raster")
    return row


def rasters_of(project_id: UUID) -> list[Raster]:
    """The project's rasters, newest first."""
    rows = Raster.objects.filter(project_id=project_id).select_related("created_by")
    return list(rows.order_by("-created_at"))


def raster_counts(project_ids: Any) -> dict[UUID, dict[str, int]]:
    """How many rasters each project has, for its card."""
    counts: dict[UUID, int] = dict.fromkeys(project_ids, 0)
    for project_id in Raster.objects.filter(project_id__in=project_ids).values_list("project_id", flat=True):
        counts[project_id] += 1
    return {project_id: {"raster_count": count} for project_id, count in counts.items()}


def raster_frame(raster: Raster) -> RasterFrame:
    """Where the raster lies. Raises `ValueError` before it was inspected."""
    if raster.transform is None or raster.width is None or raster.height is None:
        raise ValueError("this raster is not inspected yet")
    return _frame(raster.crs, tuple(raster.transform), raster.width, raster.height)


@lru_cache(maxsize=256)
def _frame(crs: str, transform: tuple[float, ...], width: int, height: int) -> RasterFrame:
    """The same frame for the same raster, which keeps what it has worked out."""
    return RasterFrame(crs, Affine(*transform), width, height)


def rasters_json(rasters: list[Raster]) -> list[dict[str, Any]]:
    """Rasters as the wire has them, with their uploads and encode totals."""
    ids = [raster.id for raster in rasters]
    uploads = {
        upload.raster_id: upload
        for upload in Upload.objects.filter(raster_id__in=ids, finished_at__isnull=True, sidecar=False)
    }
    totals: dict[UUID, dict[str, Any]] = {}
    for total in encode_totals:
        totals.update(total(rasters))
    return [_json(raster, uploads.get(raster.id), totals.get(raster.id)) for raster in rasters]


def raster_json(raster: Raster) -> dict[str, Any]:
    """One raster as the wire has it."""
    return rasters_json([raster])[0]


def _json(raster: Raster, upload: Upload | None, totals: dict[str, Any] | None) -> dict[str, Any]:
    by = raster.created_by
    extent = raster.footprint.extent if raster.footprint else None
    viewable = raster.state == Raster.State.VIEWABLE
    return {
        "id": str(raster.id),
        "project": str(raster.project_id),
        "name": raster.name,
        "state": raster.state,
        "version": raster.version,
        "error": raster.error,
        "upload": {"id": str(upload.id), "offset": upload.offset, "length": upload.length} if upload else None,
        "crs": {"name": raster.crs_name, "epsg": raster.epsg} if raster.crs else None,
        "width": raster.width,
        "height": raster.height,
        "bands": raster.bands,
        "pixel_size_m": raster.pixel_size_m,
        "bbox": list(extent) if extent else None,
        "footprint": json.loads(raster.footprint.geojson) if raster.footprint else None,
        "minzoom": raster.minzoom,
        "maxzoom": raster.maxzoom,
        "size_bytes": raster.size_bytes,
        "acquired_on": raster.acquired_on.isoformat() if raster.acquired_on else None,
        "recipe": raster.recipe,
        "encode": totals,
        "created_by": {"id": str(by.id), "display_name": by.display_name or by.username} if by else None,
        "created_at": iso(raster.created_at),
        "tiles": f"/api/rasters/{raster.id}/tiles/{{z}}/{{x}}/{{y}}?v={raster.version}" if viewable else None,
    }
