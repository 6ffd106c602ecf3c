"""Every write about rasters: register, give a CRS, change, remove; each with its event."""

import shutil
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from backend.accounts.models import User
from backend.core.errors import Conflict, Invalid
from backend.events import services as events
from backend.jobs import services as jobs
from backend.jobs.models import Job
from backend.jobs.selectors import open_job
from backend.rasters.errors import RasterRefusedError
from backend.rasters.folders import allowed_file
from backend.rasters.models import Raster
from backend.rasters.placing import earthly_crs
from backend.rasters.recipes import clean_recipe, recipe_hash
from backend.rasters.selectors import raster_json
from ml.frames import FrameError

MAX_NAME = 200
# Rooms above remove what they keep of a raster, once its removal is committed.
on_delete: list[Callable[[UUID], None]] = []


def register_file(project_id: UUID, path: str, name: str, *, actor: User) -> Raster:
    """Registers a file of an allowed folder and has it prepared. Raises `raster.not_in_folder`."""
    file = allowed_file(path)
    with transaction.atomic():
        raster = Raster.objects.create(
            project_id=project_id,
            name=(name or file.name)[:MAX_NAME],
            state=Raster.State.INSPECTING,
            source_path=str(file),
            source_is_ours=False,
            size_bytes=file.stat().st_size,
            created_by=actor,
        )
        told(raster, "raster.created", actor.id)
        _prepare(raster, actor)
    return raster


def adopt_file(project_id: UUID, file: Path, name: str, *, actor: User) -> Raster:
    """Takes a copy of a file of the server's own, such as the demo's, and has it prepared."""
    raster_id = uuid4()
    source = folder_of(raster_id) / "source.tif"
    source.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, source)
    with transaction.atomic():
        raster = Raster.objects.create(
            id=raster_id,
            project_id=project_id,
            name=name[:MAX_NAME],
            state=Raster.State.INSPECTING,
            source_path=str(source.relative_to(settings.DATA_DIR)),
            size_bytes=source.stat().st_size,
            created_by=actor,
        )
        told(raster, "raster.created", actor.id)
        _prepare(raster, actor)
    return raster


def uploaded(raster: Raster, *, actor: User) -> None:
    """The file has arrived whole: have it prepared."""
    with transaction.atomic():
        raster.state, raster.error = Raster.State.INSPECTING, None
        raster.save(update_fields=["state", "error"])
        told(raster, "raster.changed", actor.id)
        _prepare(raster, actor)


def give_crs(raster: Raster, crs: str, *, actor: User) -> Raster:
    """Uses this CRS for the file and inspects it again. Raises `raster.invalid_crs`, `raster.busy`."""
    try:
        known = earthly_crs(crs.strip())
    except FrameError as error:
        message = "This is no coordinate system of the Earth that PROJ knows. Give a code such as EPSG:32633."
        raise Invalid(message, code="raster.invalid_crs", details={"fields": {"crs": [message]}}) from error
    with transaction.atomic():
        again = prepare_again(raster, actor=actor)
        again.given_crs = known.to_wkt()
        again.save(update_fields=["given_crs"])
    return again


def prepare_again(raster: Raster, *, actor: User) -> Raster:
    """Inspects and prepares the file once more. Raises `raster.busy` while it is under way or arriving."""
    with transaction.atomic():
        locked = Raster.objects.select_for_update().get(id=raster.id)
        if locked.state == Raster.State.UPLOADING or open_job(raster.id, "prepare"):
            raise Conflict("This raster is still on its way. Wait until it is prepared.", code="raster.busy")
        locked.state, locked.error = Raster.State.INSPECTING, None
        locked.save(update_fields=["state", "error"])
        told(locked, "raster.changed", actor.id)
        _prepare(locked, actor)
        return locked


def change(raster: Raster, fields: dict[str, Any], *, actor: User) -> Raster:
    """Stores a new name, date or band recipe; a new recipe is a new version of the tiles."""
    with transaction.atomic():
        locked = Raster.objects.select_for_update().get(id=raster.id)
        if "name" in fields:
            locked.name = str(fields["name"])
        if "acquired_on" in fields:
            given: date | None = fields["acquired_on"]
            locked.acquired_on = given
        if "recipe" in fields:
            locked.recipe = clean_recipe(fields["recipe"], locked.bands)
            locked.recipe_hash = recipe_hash(locked.recipe, locked.pixels)
            locked.version += 1
        locked.save(update_fields=["name", "acquired_on", "recipe", "recipe_hash", "version"])
        told(locked, "raster.changed", actor.id)
        return locked


def refuse(raster_id: UUID, error: dict[str, Any]) -> None:
    """Shows on the raster's card why it cannot be used; `error` is `{code, message, remedy}`."""
    with transaction.atomic():
        raster = Raster.objects.select_for_update().filter(id=raster_id).first()
        if raster is None:
            return
        raster.state, raster.error = Raster.State.REFUSED, error
        raster.save(update_fields=["state", "error"])
        told(raster, "raster.changed", raster.created_by_id)


def preparation_ended(job: Job) -> None:
    """A preparation that was cancelled or failed never leaves its raster waiting for ever."""
    if job.kind != "prepare" or job.raster_id is None or job.state not in (Job.State.CANCELLED, Job.State.FAILED):
        return
    waiting = (Raster.State.INSPECTING, Raster.State.PREPARING)
    if Raster.objects.filter(id=job.raster_id, state__in=waiting).exists():
        code = "raster.cancelled" if job.state == Job.State.CANCELLED else "raster.failed"
        refuse(job.raster_id, RasterRefusedError(code).as_row())


def delete(raster: Raster, *, actor: User) -> None:
    """Removes a raster and its files; annotations drawn on it stay."""
    with transaction.atomic():
        raster_id = raster.id
        # Held first, so that nobody draws on it meanwhile; the event last, as every change takes its locks.
        Raster.objects.select_for_update().filter(id=raster_id).first()
        job = open_job(raster_id, "prepare")
        if job is not None:
            jobs.cancel(job.id)
        raster.delete()
        events.record(
            raster.project_id, "raster.deleted", {"id": str(raster_id)}, actor_id=actor.id, subject_id=raster_id
        )
        transaction.on_commit(partial(_remove_files, [raster_id]))


def delete_of_project(project_id: UUID) -> None:
    """Removes the files of a project's rasters once its removal is committed."""
    transaction.on_commit(partial(_remove_files, _ids(project_id)))


def told(raster: Raster, kind: str, actor_id: UUID | None) -> None:
    """Records the event that carries the raster's present state."""
    events.record(raster.project_id, kind, {"raster": raster_json(raster)}, actor_id=actor_id, subject_id=raster.id)


def folder_of(raster_id: UUID) -> Path:
    """Where everything of a raster lies."""
    return Path(settings.DATA_DIR, "rasters", str(raster_id))


def source_of(raster: Raster) -> Path:
    """The file as it was given."""
    return Path(settings.DATA_DIR, raster.source_path) if raster.source_is_ours else Path(raster.source_path)


def _prepare(raster: Raster, actor: User) -> None:
    jobs.create(
        "prepare",
        "rasters.prepare",
        project_id=raster.project_id,
        raster_id=raster.id,
        created_by_id=actor.id,
        total=100,
        lock=f"raster-{raster.id}",
    )


def _remove_files(raster_ids: list[UUID]) -> None:
    for raster_id in raster_ids:
        shutil.rmtree(folder_of(raster_id), ignore_errors=True)
        for clean in on_delete:
            clean(raster_id)


def _ids(project_id: UUID) -> list[UUID]:
    return list(Raster.objects.filter(project_id=project_id).values_list("id", flat=True))
