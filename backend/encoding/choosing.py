"""Which model a project has: the choices and their cost, and the change, which encodes anew what was encoded."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from backend.accounts.models import User
from backend.core.errors import EdgewiseError, Invalid
from backend.encoding import engine
from backend.encoding.selectors import bytes_per_window, ready_by_model, seconds_per_window, windows_of_any_model
from backend.jobs import services as jobs
from backend.jobs.selectors import open_job
from backend.projects import services as projects
from backend.projects.models import Project
from backend.projects.selectors import model_name
from backend.rasters.models import Raster
from ml.models import InstalledModel
from ml.windows import STRIDE


@dataclass(frozen=True)
class Encoded:
    """Windows of a project that some model has encoded, in all, and how many of them each model has, by its hash."""

    windows: int
    by_model: dict[str, int]


def choices_json(project_id: UUID) -> dict[str, Any]:
    """What the project has chosen, what that means today, and every model that could be chosen instead."""
    name = model_name(project_id)
    model, error = _or_why(name)
    default, _ = _or_why("")
    encoded = encoded_of(project_id)
    return {
        "chosen": name,
        "default": default.name if default else None,
        "model": {"name": model.name, "hash": model.sha256} if model else None,
        "error": error,
        "encoded": encoded.windows,
        "models": [_choice_json(one, encoded) for one in engine.usable_models()],
    }


def choose(project_id: UUID, name: str, *, actor: User) -> None:
    """Gives the project another model, the server's default for an empty name.

    What was encoded before is encoded by the new one in the background; till then the old one answers there.
    Raises `model.unknown`.
    """
    known = [model.name for model in engine.usable_models()]
    if name and name not in known:
        raise Invalid(
            f"No model named {name!r} is installed. Choose one of: {', '.join(known) or 'none yet'}.",
            code="model.unknown",
        )
    with transaction.atomic():
        project = Project.objects.select_for_update().get(id=project_id)
        if project.model == name:
            return
        model, _ = _or_why(name)
        if model is not None:
            encode_again(project_id, model, actor_id=actor.id)
        projects.change_project(project_id, actor, {"model": name})


def encode_again(project_id: UUID, model: InstalledModel, *, actor_id: UUID | None) -> None:
    """Has every raster encoded by this model where another one has encoded it; one that is being encoded goes over."""
    with transaction.atomic():
        for raster in _viewable(project_id).select_for_update().order_by("id"):
            missing = len(set(windows_of_any_model(raster)) - ready_by_model(raster).get(model.sha256, set()))
            if not missing or open_job(raster.id, "encode"):
                continue
            jobs.create(
                "encode",
                "encoding.run",
                project_id=project_id,
                raster_id=raster.id,
                created_by_id=actor_id,
                total=missing,
                params={"stride": STRIDE, "again": True},
                lock=f"encode-{raster.id}",
                needs=model.name,
            )


def encoded_of(project_id: UUID) -> Encoded:
    """How much of the project is encoded, under the rasters' present recipes."""
    windows = 0
    by_model: dict[str, int] = {}
    for raster in _viewable(project_id):
        ready = ready_by_model(raster)
        windows += len(set().union(*ready.values()))
        for model_hash, encoded in ready.items():
            by_model[model_hash] = by_model.get(model_hash, 0) + len(encoded)
    return Encoded(windows, by_model)


def _viewable(project_id: UUID) -> Any:
    return Raster.objects.filter(project_id=project_id, state=Raster.State.VIEWABLE)


def _or_why(name: str) -> tuple[InstalledModel | None, str | None]:
    """The model that a name means, or what is wrong with it."""
    try:
        return engine.model_named(name), None
    except EdgewiseError as error:
        return None, error.message


def _choice_json(model: InstalledModel, encoded: Encoded) -> dict[str, Any]:
    ready = encoded.by_model.get(model.sha256, 0)
    left = encoded.windows - ready
    pace = seconds_per_window(model)
    return {
        "name": model.name,
        "hash": model.sha256,
        "architecture": model.architecture,
        "ready": ready,
        "minutes": round(left * pace / 60, 1),
        "megabytes": round(left * bytes_per_window(model) / 1e6, 1),
    }
