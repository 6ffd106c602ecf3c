"""Reads installed models: a folder with `model.json` and the two ONNX files that it names by SHA-256."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

MANIFEST = "model.json"
MAX_MANIFEST_BYTES = 64 * 1024


class ModelError(ValueError):
    """A model that is not installed, not complete, or not what its manifest says; the message says what to do."""


class CandidateRule(StrEnum):
    """Which of the decoder's four masks are offered, best first.

    `single_first`: the single-mask output, then the others by score. `sam2`: as SAM2ImagePredictor chooses, several
    masks for one point and the single one, if stable, for more.
    """

    SINGLE_FIRST = "single_first"
    SAM2 = "sam2"


@dataclass(frozen=True)
class InstalledModel:
    """One model on the disk, its files checked against the manifest's hashes.

    `sha256` stands for the whole model (the hash over both files' hashes). `mean` and `std` are for RGB in 0..1.
    """

    name: str
    sha256: str
    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    encoder: Path
    decoder: Path
    candidate_rule: CandidateRule
    mask_feedback: bool


def installed_models(folders: Iterable[Path]) -> list[InstalledModel]:
    """Every model below the folders, in their order, then by name; the first of a name wins."""
    found: dict[str, InstalledModel] = {}
    for folder in folders:
        for manifest in sorted(folder.glob(f"*/{MANIFEST}")):
            model = load_model(manifest.parent)
            found.setdefault(model.name, model)
    return list(found.values())


def choose_model(folders: Iterable[Path], name: str = "") -> InstalledModel:
    """The model of this name, or the first installed one. Raises `ModelError`."""
    models = installed_models(folders)
    if not models:
        raise ModelError("No model is installed. Put a folder with model.json into one of EDGEWISE_MODEL_DIRS.")
    if not name:
        return models[0]
    for model in models:
        if model.name == name:
            return model
    known = ", ".join(model.name for model in models)
    raise ModelError(f"No model named {name!r} is installed. Installed: {known}.")


def load_model(folder: Path) -> InstalledModel:
    """The model in a folder. Raises `ModelError` for a manifest or a file that is not as it must be."""
    manifest = folder / MANIFEST
    stamp = tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.glob("*.*")))
    return _load(manifest, stamp)


@lru_cache(maxsize=32)
def _load(manifest: Path, stamp: tuple[Any, ...]) -> InstalledModel:  # the stamp: changed files are read again
    folder = manifest.parent
    said = _read(manifest)
    try:
        encoder, encoder_hash = _checked(folder, said["files"]["encoder"])
        decoder, decoder_hash = _checked(folder, said["files"]["decoder"])
        mean, std = said["mean"], said["std"]
        return InstalledModel(
            name=str(said["name"]),
            sha256=hashlib.sha256((encoder_hash + decoder_hash).encode()).hexdigest(),
            input_size=int(said["input_size"]),
            mean=(float(mean[0]), float(mean[1]), float(mean[2])),
            std=(float(std[0]), float(std[1]), float(std[2])),
            encoder=encoder,
            decoder=decoder,
            candidate_rule=CandidateRule(said["candidate_rule"]),
            mask_feedback=bool(said["mask_feedback"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{manifest.name} of {folder.name} is not complete: {error}. Install it again.") from error


def _read(manifest: Path) -> dict[str, Any]:
    try:
        if manifest.stat().st_size > MAX_MANIFEST_BYTES:
            raise ModelError(f"{manifest.name} of {manifest.parent.name} is too large to be a manifest.")
        said = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ModelError(f"{manifest.parent.name} has no readable {manifest.name}. Install it again.") from error
    if not isinstance(said, dict):
        raise ModelError(f"{manifest.name} of {manifest.parent.name} is not a manifest. Install it again.")
    return said


def _checked(folder: Path, entry: dict[str, Any]) -> tuple[Path, str]:
    name = str(entry["path"])
    path = folder / name
    if Path(name).name != name or path.is_symlink() or not path.is_file():
        raise ModelError(f"{folder.name} lacks its file {Path(name).name!r}. Install it again.")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != entry["sha256"]:
        raise ModelError(f"{name} of {folder.name} is damaged or not the file it was. Install it again.")
    return path, found
