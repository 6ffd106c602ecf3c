"""Says what models there are: published, installed, in use, and what is being done with them."""

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from backend.administration.places import checkpoint_files, checkpoints_folder
from backend.core.clock import iso
from backend.core.errors import EdgewiseError
from backend.encoding import engine
from backend.encoding.selectors import embeddings_by_model
from backend.jobs.models import Job
from backend.jobs.selectors import job_json, jobs_of_server
from backend.projects.selectors import projects_with_model
from ml.models import InstalledModel, ModelError, load_model, places
from ml.models.default import default_name
from ml.models.install import missing_tools, part_of
from ml.models.installed import bytes_of, model_folders
from ml.models.registry import LICENCE, PUBLISHED, Published


def models_json() -> dict[str, Any]:
    """All of the administrator's page of models."""
    jobs = list(jobs_of_server())
    embeddings = embeddings_by_model()
    installed = [_installed_json(folder, embeddings, jobs) for folder in model_folders(settings.MODEL_DIRS)]
    names = {one["name"] for one in installed}
    hashes = {one["hash"] for one in installed}
    home = engine.models_home()
    return {
        "folder": str(home),
        "free_bytes": shutil.disk_usage(next(path for path in (home, *home.parents) if path.is_dir())).free,
        "offline": places.offline(),
        "mirror": urlsplit(places.mirror()).netloc,
        "missing": missing_tools(),
        "default": _default_json(),
        "published": [_published_json(one, home) for one in PUBLISHED if one.name not in names],
        "installed": _first_of_a_name(installed),
        "orphans": [
            {"hash": model_hash, "embeddings": count, "embedding_bytes": size}
            for model_hash, (count, size) in sorted(embeddings.items())
            if model_hash not in hashes
        ],
        "checkpoints": {
            "folder": str(checkpoints_folder()),
            "files": [{"name": name, "bytes": size} for name, size in checkpoint_files()],
        },
        "jobs": [work_json(job) for job in jobs[:20]],
    }


def work_json(job: Job) -> dict[str, Any]:
    """A job on models: as any job, and what it does with which model, the step it is at, and what came of it."""
    said = {key: job.params.get(key) for key in ("action", "model", "step", "result")}
    return {**job_json(job), **said}


def open_work(model: str) -> Job | None:
    """The job that is at work on a model of this name, if there is one."""
    return next((job for job in jobs_of_server() if job.state in Job.OPEN and job.params.get("model") == model), None)


def is_default(model: str) -> bool:
    """Whether projects that have chosen none have this one."""
    try:
        return engine.default_model().name == model
    except EdgewiseError:
        return False


def _default_json() -> dict[str, Any]:
    """The default's name, or what is wrong with it, and what has made it so."""
    chosen = "chosen" if default_name(engine.models_home()) else "first"
    source = "environment" if settings.MODEL else chosen
    try:
        return {"name": engine.default_model().name, "from": source, "error": None}
    except EdgewiseError as error:
        return {"name": None, "from": source, "error": error.message}


def _published_json(one: Published, home: Path) -> dict[str, Any]:
    return {
        "name": one.name,
        "bytes": one.bytes,
        "parameters": one.parameters,
        "address": one.address,
        "sha256": one.sha256,
        "licence": LICENCE,
        "downloaded_bytes": part_of(one.name, home),
    }


def _installed_json(folder: Path, embeddings: dict[str, tuple[int, int]], jobs: list[Job]) -> dict[str, Any]:
    ours = folder.parent == engine.models_home()
    try:
        model = load_model(folder)
    except ModelError as error:
        said: dict[str, Any] = {"name": folder.name, "hash": None, "error": str(error), "bytes": _size_of(folder)}
        found = (0, 0)
    else:
        found = embeddings.get(model.sha256, (0, 0))
        said = {"name": model.name, "hash": model.sha256, "error": None, "bytes": bytes_of(model)}
        said |= {"architecture": model.architecture, "encoders": _encoders_of(model)}
        said |= {"verified": _verified(model, jobs), "default": is_default(model.name)}
    users = [{"id": str(project.id), "name": project.name} for project in projects_with_model(said["name"])]
    by_default = len(projects_with_model("")) if said.get("default") else 0
    counted = {"projects": users, "by_default": by_default, "embeddings": found[0], "embedding_bytes": found[1]}
    return {"architecture": "", "encoders": [], "verified": None, "default": False, **said, **counted, "ours": ours}


def _encoders_of(model: InstalledModel) -> list[str]:
    """What it can encode with: ONNX always, torch where its weights lie beside."""
    return ["onnx", *(["torch"] if model.weights is not None else [])]


def _verified(model: InstalledModel, jobs: list[Job]) -> dict[str, Any] | None:
    """What the last comparison of these very files found."""
    for job in jobs:
        result = job.params.get("result") or {}
        if job.params.get("action") == "verify" and result.get("hash") == model.sha256:
            return {"at": iso(job.finished_at or job.created_at), **result}
    return None


def _first_of_a_name(installed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of a name is the one that is used; a sound one goes before a broken one."""
    sound = [one for one in installed if one["error"] is None]
    found: dict[str, dict[str, Any]] = {}
    for one in [*sound, *(one for one in installed if one["error"] is not None)]:
        found.setdefault(one["name"], one)
    return sorted(found.values(), key=installed.index)


def _size_of(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
