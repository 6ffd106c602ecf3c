"""Where models and checkpoints lie for this server, and what a command that works on them gets to see of it."""

import os
import stat
from pathlib import Path

from django.conf import settings

from backend.core.errors import Invalid
from backend.encoding.engine import models_home
from ml.models import places

# Of this process's environment; no secret and no database. The rest of the server's own settings is added.
PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "EDGEWISE_MODEL_MIRROR", "EDGEWISE_OFFLINE",
)  # fmt: skip


def environment() -> dict[str, str]:
    """What a command on models is started with."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    others = [str(folder) for folder in settings.MODEL_DIRS if folder != models_home()]
    return {**kept, "EDGEWISE_DATA_DIR": str(settings.DATA_DIR), "EDGEWISE_MODEL_DIRS": ",".join(others)}


def checkpoints_folder() -> Path:
    """The only folder from which a checkpoint file may be installed."""
    return places.checkpoints({"EDGEWISE_DATA_DIR": str(settings.DATA_DIR)})


def checkpoint_files() -> list[tuple[str, int]]:
    """Names and sizes of the files that lie there; links are none."""
    folder = checkpoints_folder()
    if not folder.is_dir():
        return []
    found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in os.scandir(folder)]
    return sorted((name, held.st_size) for name, held in found if stat.S_ISREG(held.st_mode) and name[0] != ".")


def checkpoint_file(name: str) -> Path:
    """The file of this name there. Raises `model.no_checkpoint` for anything else."""
    if name not in {known for known, _ in checkpoint_files()}:
        raise Invalid(
            f"There is no such file in {checkpoints_folder()}. Lay the checkpoint there and choose it again.",
            code="model.no_checkpoint",
        )
    return checkpoints_folder() / name
