"""Which installed model is taken where none is named: a name kept in the folder that models are installed into."""

import os
from collections.abc import Iterable
from pathlib import Path

from ml.models.installed import ModelError, choose_model

FILE = "default"
MOST_CHARACTERS = 200


def default_name(home: Path) -> str:
    """The name that is kept; empty where the first model found is taken."""
    try:
        return (home / FILE).read_text(encoding="utf-8")[:MOST_CHARACTERS].strip()
    except (OSError, ValueError):
        return ""


def set_default(home: Path, name: str) -> None:
    """Keeps a name."""
    home.mkdir(parents=True, exist_ok=True)
    aside = home / f".{FILE}-{os.getpid()}"
    aside.write_text(name + "\n", encoding="utf-8")
    aside.replace(home / FILE)


def keep_default(folders: Iterable[Path], home: Path) -> None:
    """Before another model comes: what projects have by default today, they keep."""
    if default_name(home):
        return
    try:
        first = choose_model(folders)
    except ModelError:
        return  # none yet: the first one that comes is it
    set_default(home, first.name)
