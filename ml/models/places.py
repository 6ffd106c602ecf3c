"""Where models lie, by the same settings as the server's."""

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder that models are installed into: `models` in EDGEWISE_DATA_DIR."""
    data = environment.get("EDGEWISE_DATA_DIR", "").strip() or str(ROOT / "var" / "data")
    return Path(data).resolve() / "models"


def folders(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """All folders in which models are looked for, the first one first."""
    named = [part.strip() for part in environment.get("EDGEWISE_MODEL_DIRS", "").split(",") if part.strip()]
    return [*(Path(one).resolve() for one in named), home(environment), ROOT / "fixtures" / "models"]


def checkpoints(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder in which an administrator lays checkpoint files for the page of models."""
    return home(environment).parent / "checkpoints"


def mirror(environment: Mapping[str, str] = os.environ) -> str:
    """An address below which the administrator keeps the published files; empty for their makers'."""
    return environment.get("EDGEWISE_MODEL_MIRROR", "").strip()


def offline(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the administrator has forbidden downloads."""
    return environment.get("EDGEWISE_OFFLINE", "").strip().lower() in {"1", "true", "yes", "on"}
