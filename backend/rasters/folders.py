"""The folders from which an administrator allows files to be registered."""

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from backend.core.errors import Invalid

SUFFIXES = {".tif", ".tiff", ".gtif", ".gtiff"}
MAX_LISTED = 2000


@dataclass(frozen=True)
class Listing:
    """What one folder holds, for the browser."""

    path: str
    folders: list[str]
    files: list[tuple[str, int]]


def listing(path: str) -> Listing:
    """The GeoTIFFs and folders at a path such as `surveys/2026`; the first part names an allowed folder.

    Raises `raster.not_in_folder`, alike for what is missing and for what is not allowed.
    """
    if not path.strip("/"):
        return Listing("", sorted(_roots()), [])
    folder = _inside(path)
    if folder is None or not folder.is_dir():
        raise _refused()
    folders, files = [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name)[:MAX_LISTED]:
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif Path(entry.name).suffix.lower() in SUFFIXES:
                files.append((entry.name, entry.stat().st_size))
    return Listing(path.strip("/"), folders, files)


def allowed_file(path: str) -> Path:
    """The absolute path of a file below an allowed folder. Raises `raster.not_in_folder`."""
    file = _inside(path)
    if file is None or not file.is_file() or file.suffix.lower() not in SUFFIXES:
        raise _refused()
    return file


def still_allowed(file: Path) -> bool:
    """Whether a registered file, with every link resolved anew, still lies below an allowed folder."""
    try:
        resolved = file.resolve(strict=True)
    except OSError:
        return False
    return any(resolved.is_relative_to(root) for root in _roots().values())


def _roots() -> dict[str, Path]:
    return {folder.name: folder for folder in settings.RASTER_FOLDERS}


def _inside(path: str) -> Path | None:
    """The path below its allowed folder with every link resolved, or None when that leaves the folder."""
    name, _, rest = path.strip("/").partition("/")
    root = _roots().get(name)
    if root is None or "\x00" in path:
        return None
    try:
        resolved = (root / rest).resolve(strict=True)
        return resolved if resolved.is_relative_to(root.resolve(strict=True)) else None
    except (OSError, ValueError):
        return None


def _refused() -> Invalid:
    return Invalid(
        "There is no such GeoTIFF in the folders that your administrator has allowed.", code="raster.not_in_folder"
    )
