"""Takes in files by the tus 1.0 protocol: in pieces, resumable, never whole in memory."""

import base64
import binascii
import errno
import os
import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum

from backend.accounts.models import User
from backend.core.clock import now
from backend.core.errors import Conflict, Invalid, TooLarge, Unavailable
from backend.projects.policies import not_found
from backend.rasters import services
from backend.rasters.folders import SUFFIXES
from backend.rasters.models import Raster, Upload

VERSION = "1.0.0"
CHUNK_LIMIT = 32 * 1024 * 1024
COPY_BYTES = 1024 * 1024
SIDECARS = (".tfw", ".tifw", ".tiffw", ".wld", ".prj", ".aux.xml")
SIDECAR_LIMIT = 4 * 1024 * 1024
SPARE_DISK = 1024 * 1024 * 1024
STALE = timedelta(days=3)
OPEN_UPLOADS_PER_USER = 20


def metadata(header: str) -> dict[str, str]:
    """The pairs of an `Upload-Metadata` header: `key base64,key base64`. Raises `upload.invalid`."""
    found = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Invalid("The upload's metadata cannot be read.", code="upload.invalid") from error
    return found


def begin(project_id: UUID, length: int, said: dict[str, str], *, actor: User) -> Upload:
    """Makes room for a file, and its raster's card. Raises `upload.invalid`, `upload.too_large`, `upload.no_disk`."""
    name = safe_name(said.get("filename", ""))
    if said.get("sidecar_for"):
        return _begin_sidecar(project_id, length, name, said["sidecar_for"], actor)
    if Path(name).suffix.lower() not in SUFFIXES:
        raise Invalid(
            "Only GeoTIFF files (.tif, .tiff) can be uploaded. Save the image as GeoTIFF first.",
            code="upload.not_geotiff",
        )
    _check_room(length, max_length())
    remove_stale()
    if Upload.objects.filter(created_by=actor, finished_at__isnull=True).count() >= OPEN_UPLOADS_PER_USER:
        raise Conflict("You have many unfinished uploads. Finish or remove some first.", code="upload.too_many")
    with transaction.atomic():
        raster_id = uuid4()
        raster = Raster.objects.create(
            id=raster_id,
            project_id=project_id,
            name=(_one_line(said.get("name", "")) or name)[: services.MAX_NAME],
            state=Raster.State.UPLOADING,
            source_path=f"rasters/{raster_id}/source.tif",
            size_bytes=length,
            created_by=actor,
        )
        upload = Upload.objects.create(raster=raster, filename=name, length=length, created_by=actor)
        services.told(raster, "raster.created", actor.id)
        _make_part(upload)
    return upload


def append(upload_id: UUID, offset: int, body: BinaryIO, *, actor: User) -> Upload:
    """Writes a piece at its place; the last one hands the file on. Raises `upload.wrong_offset` and others.

    The stored offset only rises after the bytes are on the disk, so that a killed server loses at most one piece.
    """
    with transaction.atomic():
        upload = Upload.objects.select_for_update(of=("self",)).select_related("raster").filter(id=upload_id).first()
        if upload is None or upload.finished_at is not None:
            raise not_found("upload")
        if offset != upload.offset:
            raise Conflict(
                "This piece does not follow the last one. Ask for the offset and go on from there.",
                code="upload.wrong_offset",
                details={"offset": upload.offset},
            )
        try:
            upload.offset += _write(part_of(upload), offset, body, upload.length - offset)
        except FileNotFoundError as error:
            raise not_found("upload") from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _no_disk() from error
            raise
        if upload.offset == upload.length:
            _finish(upload, actor)
        upload.save()
    return upload


def remove(upload: Upload, *, actor: User) -> None:
    """Gives an unfinished upload up, and its card with it."""
    part_of(upload).unlink(missing_ok=True)
    if upload.sidecar:
        upload.delete()
    else:
        services.delete(upload.raster, actor=actor)


def remove_stale() -> int:
    """Gives up uploads of which nothing came for three days; how many."""
    stale = Upload.objects.filter(finished_at__isnull=True, updated_at__lt=now() - STALE).select_related(
        "raster", "created_by"
    )
    for upload in stale:
        remove(upload, actor=upload.created_by)
    return len(stale)


def safe_name(filename: str) -> str:
    """The last part of a file name, without anything that a file system or a page could take amiss."""
    last = re.split(r"[/\\]", filename)[-1]
    kept = re.sub(r"[^\w.()+ -]", "_", last)[-150:].strip(" .")
    return kept or "upload"


def part_of(upload: Upload) -> Path:
    """Where the pieces gather: a raster's where it stays, so that its end needs no rename that a crash could miss."""
    if not upload.sidecar:
        return services.source_of(upload.raster)
    return services.folder_of(upload.raster_id) / f"{upload.id}.part"


def max_length() -> int:
    """The largest file that can be uploaded, in bytes."""
    return int(settings.MAX_UPLOAD_GB) * 1024**3


def _begin_sidecar(project_id: UUID, length: int, name: str, raster_id: str, actor: User) -> Upload:
    try:
        raster = Raster.objects.filter(id=UUID(raster_id), project_id=project_id, source_is_ours=True).first()
    except ValueError:
        raster = None
    if raster is None:
        raise not_found("raster")
    if not name.lower().endswith(SIDECARS):
        raise Invalid("Beside a GeoTIFF go .tfw, .wld, .prj and .aux.xml files.", code="upload.not_sidecar")
    _check_room(length, SIDECAR_LIMIT)
    with transaction.atomic():
        upload = Upload.objects.create(raster=raster, filename=name, length=length, sidecar=True, created_by=actor)
        _make_part(upload)
    return upload


def _make_part(upload: Upload) -> None:
    part = part_of(upload)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise _no_disk() from error


def _one_line(text: str) -> str:
    """A name without control characters, which no page and no database wants."""
    return "".join(letter for letter in text if letter.isprintable()).strip()


def _check_room(length: int, limit: int) -> None:
    if length <= 0:
        raise Invalid("The file is empty. Choose another.", code="upload.empty")
    if length > limit:
        raise TooLarge(
            f"The file has {length / 1e9:.1f} GB; at most {limit / 1e9:.1f} GB can be uploaded. "
            "Ask your administrator to register it from a folder.",
            code="upload.too_large",
        )
    Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True)
    to_come = Upload.objects.filter(finished_at__isnull=True).aggregate(bytes=Sum(F("length") - F("offset")))
    promised = int(to_come["bytes"] or 0)
    if shutil.disk_usage(settings.DATA_DIR).free < promised + 2 * length + SPARE_DISK:
        raise _no_disk()


def _no_disk() -> Unavailable:
    return Unavailable(
        "There is not enough room on the server's disk. Ask your administrator for room, then go on.",
        code="upload.no_disk",
    )


def _write(part: Path, offset: int, body: BinaryIO, room: int) -> int:
    written = 0
    with part.open("r+b") as file:
        file.truncate(offset)  # what a killed server wrote beyond the stored offset
        file.seek(offset)
        while piece := body.read(min(COPY_BYTES, CHUNK_LIMIT - written + 1)):
            written += len(piece)
            if written > room or written > CHUNK_LIMIT:
                raise TooLarge(
                    f"A piece has at most {CHUNK_LIMIT} bytes and ends with the file.", code="upload.piece_too_large"
                )
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return written


def _finish(upload: Upload, actor: User) -> None:
    raster = upload.raster
    upload.finished_at = now()
    source = services.source_of(raster)
    if upload.sidecar:
        part_of(upload).replace(source.with_name("source" + _sidecar_suffix(upload.filename)))
        if raster.state == Raster.State.REFUSED:
            services.uploaded(raster, actor=actor)
        return
    services.uploaded(raster, actor=actor)


def _sidecar_suffix(name: str) -> str:
    low = name.lower()
    if low.endswith(".aux.xml"):
        return ".tif.aux.xml"
    return ".prj" if low.endswith(".prj") else ".tfw"
