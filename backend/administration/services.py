"""What an administrator does with models: install, verify, remove, choose the default, clear embeddings."""

from typing import Any

from django.conf import settings
from django.db import transaction

from backend.accounts.models import User
from backend.administration import selectors
from backend.administration.places import checkpoint_file
from backend.core.errors import Conflict, Invalid
from backend.encoding import choosing, engine
from backend.encoding.selectors import embeddings_by_model
from backend.jobs import services as jobs
from backend.jobs.models import Job
from backend.projects.selectors import projects_with_model
from ml.models import ModelError, choose_model, places
from ml.models.default import set_default
from ml.models.install import OWN, Source, ensure_possible
from ml.models.install import remove as remove_folder
from ml.models.registry import published

KIND = "models"


def install(name: str, checkpoint: str, own: bool, *, actor: User) -> Job:
    """Has a published model downloaded, or a checkpoint of the allowed folder taken, and installed.

    Raises `model.unknown`, `model.no_checkpoint`, `model.busy`, and `model.refused` for whatever would stop it.
    """
    try:
        published(name)
    except ModelError as error:
        raise Invalid(str(error), code="model.unknown") from error
    if own and not checkpoint:
        raise Invalid("Weights of your own come from a file. Choose one.", code="model.no_checkpoint")
    file = checkpoint_file(checkpoint) if checkpoint else None
    _ensure_idle(name + OWN if own else name)
    source = Source(file, own, places.mirror(), places.offline())
    try:
        ensure_possible(name, engine.models_home(), source)
    except ModelError as error:
        raise Conflict(str(error), code="model.refused") from error
    shown = name + OWN if own else name
    return _queue("install", shown, {"published": name, "checkpoint": checkpoint, "own": own}, actor)


def verify(name: str, *, actor: User) -> Job:
    """Has an installed model compared with Meta's code. Raises `model.unknown`, `model.busy`."""
    _sound(name)
    _ensure_idle(name)
    return _queue("verify", name, {}, actor)


def clear(model_hash: str, *, actor: User) -> Job:
    """Has all embeddings of a model removed.

    Raises `model.in_use` while a project has it, `model.unknown`, `model.busy`.
    """
    known = embeddings_by_model()
    if model_hash not in known:
        raise Invalid("No model of this hash has embeddings here.", code="model.unknown")
    name = next((model.name for model in engine.usable_models() if model.sha256 == model_hash), model_hash[:16])
    if projects_with_model(name) or (selectors.is_default(name) and projects_with_model("")):
        raise Conflict(
            f"{name} is in use: its embeddings answer clicks. Give those projects another model first.",
            code="model.in_use",
        )
    _ensure_idle(name)
    return _queue("clear", name, {"hash": model_hash}, actor, total=known[model_hash][0])


def remove(name: str, move_to: str | None, *, actor: User) -> None:
    """Removes an installed model; its embeddings stay until they are cleared.

    Projects that have chosen it are given `move_to` first. Raises `model.in_use` without one, `model.is_default`,
    `model.unknown`, `model.busy`, `model.refused`.
    """
    _ensure_idle(name)
    if selectors.is_default(name):
        raise Conflict(
            f"{name} is the default of this server. Make another one the default first.", code="model.is_default"
        )
    users = projects_with_model(name)
    if users and move_to is None:
        raise Conflict(
            f"{len(users)} of this server's projects have {name}. Say which model they get instead.",
            code="model.in_use",
            details={"projects": [{"id": str(project.id), "name": project.name} for project in users]},
        )
    if move_to == name:
        raise Invalid("Choose another model for these projects than the one that goes.", code="model.unknown")
    with transaction.atomic():
        for project in users:
            choosing.choose(project.id, move_to or "", actor=actor)
        try:
            remove_folder(name, engine.models_home())
        except ModelError as error:
            raise Conflict(str(error), code="model.refused") from error


def make_default(name: str, *, actor: User) -> None:
    """Gives every project that has chosen none this model. Raises `model.unknown`, `model.by_environment`."""
    _sound(name)
    if settings.MODEL:
        raise Conflict(
            f"EDGEWISE_MODEL says that {settings.MODEL} is the default. Unset it, or change it there.",
            code="model.by_environment",
        )
    set_default(engine.models_home(), name)
    model = engine.default_model()
    for project in projects_with_model(""):
        choosing.encode_again(project.id, model, actor_id=actor.id)


def _queue(action: str, model: str, params: dict[str, Any], actor: User, total: int = 0) -> Job:
    return jobs.create(
        KIND,
        "administration.work",
        project_id=None,
        created_by_id=actor.id,
        total=total,
        params={"action": action, "model": model, **params},
        lock=KIND,
    )


def _sound(name: str) -> None:
    try:
        choose_model(settings.MODEL_DIRS, name or "?")
    except ModelError as error:
        raise Invalid(str(error), code="model.unknown") from error


def _ensure_idle(model: str) -> None:
    if selectors.open_work(model) is not None:
        raise Conflict(f"{model} is being worked on. Wait until that has ended, or cancel it.", code="model.busy")
