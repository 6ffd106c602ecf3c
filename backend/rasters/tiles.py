"""Renders tiles on threads of its own, and answers with an ETag so that most are never rendered twice."""

import asyncio
import hashlib
import io
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from PIL import Image
from rasterio.errors import RasterioIOError
from rest_framework.request import Request
from rest_framework.settings import api_settings

from backend.core.errors import AuthRequired, Conflict, Invalid, NotFound, Unavailable
from backend.projects.policies import require_member
from backend.rasters import reading, warping
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_of

log = logging.getLogger(__name__)

MAX_ZOOM = 26
THUMBNAIL_PX = 320
FORMATS = {"webp": "image/webp", "png": "image/png", "jpg": "image/jpeg"}
POOL = ThreadPoolExecutor(max_workers=4, thread_name_prefix="tiles")
ACCESS_SECONDS = 2.0
_access: dict[tuple[str, UUID], tuple[float, Raster]] = {}


async def tile(request: HttpRequest, raster_id: UUID, z: int, x: int, y: int) -> HttpResponse:
    """`/api/rasters/{id}/tiles/{z}/{x}/{y}`: a WEBP tile (or `f=png`, `f=jpg`); transparent outside the data."""
    return await asyncio.get_running_loop().run_in_executor(POOL, _answer, request, raster_id, (z, x, y))


async def thumbnail(request: HttpRequest, raster_id: UUID) -> HttpResponse:
    """`/api/rasters/{id}/thumbnail`: the whole raster at 320 px, WEBP."""
    return await asyncio.get_running_loop().run_in_executor(POOL, _answer, request, raster_id, None)


def _answer(request: HttpRequest, raster_id: UUID, place: tuple[int, int, int] | None) -> HttpResponse:
    try:
        raster = _allowed(request, raster_id)
    finally:
        connection.close()  # back to the pool: these threads live on
    if raster.state != Raster.State.VIEWABLE:
        raise Conflict("This raster is not prepared yet. Wait until it can be viewed.", code="raster.not_viewable")
    kind = request.GET.get("f", "webp")
    if kind not in FORMATS:
        raise Invalid(f"Tiles come as {', '.join(FORMATS)}.", code="tile.invalid_format")
    if place is not None and not _in_grid(*place):
        raise NotFound("There is no such tile.", code="tile.not_found")
    etag = _etag(raster, place, kind)
    if etag in request.headers.get("If-None-Match", ""):
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(_rendered(raster, place, kind), content_type=FORMATS[kind])
    response["ETag"] = etag
    fixed = request.GET.get("v") == str(raster.version)
    response["Cache-Control"] = "private, max-age=31536000, immutable" if fixed else "private, no-cache"
    response["Vary"] = "Cookie, Authorization"
    return response


def _allowed(request: HttpRequest, raster_id: UUID) -> Raster:
    """The raster, if who asks is a member; remembered for two seconds, since a map asks for dozens at once."""
    said = (request.COOKIES.get(settings.SESSION_COOKIE_NAME), request.headers.get("Authorization"))
    key = (hashlib.sha256(repr(said).encode()).hexdigest(), raster_id)
    known = _access.get(key) if any(said) else None
    if known is not None and time.monotonic() - known[0] < ACCESS_SECONDS:
        asked = request.GET.get("v")
        if asked is None or asked == str(known[1].version):  # another version: the raster has just changed
            return known[1]
    kinds: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    asking = Request(request, authenticators=[kind() for kind in kinds])
    user = asking.user
    if not user.is_authenticated:
        raise AuthRequired()
    raster = raster_of(raster_id)
    require_member(user, raster.project_id, noun="raster")
    if len(_access) > 5000:
        _access.clear()
    _access[key] = (time.monotonic(), raster)
    return raster


def _rendered(raster: Raster, place: tuple[int, int, int] | None, kind: str) -> bytes:
    try:
        if place is None:
            pixels = reading.read_small(raster, THUMBNAIL_PX)
        else:
            z, x, y = place
            found = warping.read_tile(raster, x, y, z)
            if found is None:
                return empty_tile(kind)
            pixels = found
    except RasterioIOError as error:
        log.error("The stored picture of raster %s cannot be read: %s", raster.id, error)
        raise Unavailable(
            "The stored picture of this raster is damaged. Ask an owner of the project to prepare it again.",
            code="raster.damaged",
        ) from error
    return encode(pixels.rgb, pixels.valid, kind)


def _in_grid(z: int, x: int, y: int) -> bool:
    return 0 <= z <= MAX_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z


def _etag(raster: Raster, place: tuple[int, int, int] | None, kind: str) -> str:
    said = f"{raster.id} {raster.version} {raster.recipe_hash} {place} {kind}"
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'


@lru_cache(maxsize=4)
def empty_tile(kind: str) -> bytes:
    """One transparent tile, made once."""
    return encode(np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256), bool), kind)


def encode(rgb: Any, valid: Any, kind: str) -> bytes:
    """The image file of pixels; what is not valid is transparent (white in a JPEG)."""
    out = io.BytesIO()
    if kind == "jpg":
        Image.fromarray(np.where(valid[..., None], rgb, 255).astype(np.uint8)).save(out, "JPEG", quality=85)
        return out.getvalue()
    whole = bool(valid.all())
    pixels = rgb if whole else np.dstack([rgb, np.where(valid, 255, 0).astype(np.uint8)])
    image = Image.fromarray(pixels)
    if kind == "png":
        image.save(out, "PNG", compress_level=1)
    else:
        image.save(out, "WEBP", quality=85, method=0)
    return out.getvalue()
