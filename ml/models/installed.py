"""Reads installed models: a folder with `model.json` and the ONNX files that it names by SHA-256."""

import contextlib
import hashlib
import json
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from ml.models.processor import abilities

MANIFEST = "model.json"
MAX_MANIFEST_BYTES = 64 * 1024
INPUT_SIZE = 1024  # of every SAM 2.1 model
WHOLE_SIDE = 64  # tokens of a whole window a side
FP32, INT8 = "fp32", "int8"
OTHER_FILES = ("weights", "memory_encoder", "memory_attention", "decoder_int8")  # that a click does not need
SAME_RMS = 0.03  # what embeddings in half precision are held to: within it they count as the same
log = logging.getLogger(__name__)


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
class ModelFile:
    """One ONNX file and the SHA-256 that it must have."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class InstalledModel:
    """One model on the disk, its files checked against the manifest's hashes.

    `sha256` stands for all that an answer depends on: the files and the normalisation. `mean` and `std` are for RGB
    in 0..1. With `prepare`, the decoder takes what that file makes of the features once an image, and what `mask` makes
    of a mask prompt. `weights`
    (safetensors) and the two memory files are checked when they are opened, not before. So is `decoder_int8`, which
    answers in the decoder's stead where `precision` says so.

    `encoder_quick` encodes on processors in the encoder's stead, as `ml.export.quick_choice` has measured and the
    manifest's part `encode` says; it is None where its file is not as it must be or this processor cannot run it. Its
    features lie within `quick_tolerance` of the encoder's: root mean square, in standard deviations. Where that is more
    than half precision's, they are `own_embeddings`: its hash is part of `sha256`, and nothing else encodes the model.

    `fields` are the sides in tokens of the parts of a window
    that may be decoded alone, rising, the whole window's last; the manifest's part `decode` names what was measured
    to agree with the whole window in full precision (`ml.quality.agreement`), and for previews to agree well enough.
    Around a part the window is looked at in squares of `far` x `far` tokens, `hover_far` for previews; 0 is not at all.
    A part's mask is kept only where its stability score is at least `stability`, a preview's `hover_stability`.
    """

    name: str
    sha256: str
    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    encoder: ModelFile
    decoder: ModelFile
    candidate_rule: CandidateRule
    mask_feedback: bool
    prepare: ModelFile | None = None
    mask: ModelFile | None = None
    weights: ModelFile | None = None
    memory_encoder: ModelFile | None = None
    memory_attention: ModelFile | None = None
    architecture: str = ""
    decoder_int8: ModelFile | None = None
    encoder_quick: ModelFile | None = None
    quick_tolerance: float = 0.0
    fields: tuple[int, ...] = (WHOLE_SIDE,)
    precision: str = FP32
    far: int = 0
    stability: float = 0.0
    hover_fields: tuple[int, ...] = (WHOLE_SIDE,)
    hover_far: int = 0
    hover_stability: float = 0.0

    @property
    def own_embeddings(self) -> bool:
        """Whether its embeddings must not stand beside those of another encoder."""
        return self.encoder_quick is not None and self.quick_tolerance > SAME_RMS


def entry_of(path: Path) -> ModelFile:
    """A file as it is now."""
    with path.open("rb") as file:
        return ModelFile(path, hashlib.file_digest(file, "sha256").hexdigest())


def installed_models(folders: Iterable[Path]) -> list[InstalledModel]:
    """Every sound model below the folders, in their order, then by name; the first of a name wins."""
    found: dict[str, InstalledModel] = {}
    for folder in model_folders(folders):
        model = _read_once(folder)
        if isinstance(model, InstalledModel):
            found.setdefault(model.name, model)
    return list(found.values())


def choose_model(folders: Iterable[Path], name: str = "") -> InstalledModel:
    """The model of this name, or the first sound one; a broken one beside it does not matter. Raises `ModelError`."""
    folders = list(folders)
    models = installed_models(folders)
    for model in models:
        if name in ("", model.name):
            return model
    for folder in model_folders(folders):  # a broken one that is meant says what is wrong
        if name in ("", folder.name):
            load_model(folder)
    if not models:
        raise ModelError("No model is installed. Put a folder with model.json into one of EDGEWISE_MODEL_DIRS.")
    known = ", ".join(model.name for model in models)
    raise ModelError(f"No model named {name!r} is installed. Installed: {known}.")


def load_model(folder: Path) -> InstalledModel:
    """The model in a folder. Raises `ModelError` for a manifest or a file that is not as it must be."""
    model = _read_once(folder)
    if isinstance(model, ModelError):
        raise ModelError(str(model))
    return model


def bytes_of(model: InstalledModel) -> int:
    """What a model takes on the disk."""
    return sum(path.stat().st_size for path in model.encoder.path.parent.iterdir() if path.is_file())


def model_folders(folders: Iterable[Path]) -> list[Path]:
    """The folders that hold a manifest, sound or not."""
    return [manifest.parent for folder in folders for manifest in sorted(folder.glob(f"*/{MANIFEST}"))]


def _read_once(folder: Path) -> InstalledModel | ModelError:
    """What is in a folder, or what is wrong with it; read again only when a file has changed."""
    stamp = []
    for path in sorted(folder.glob("*.*")):
        with contextlib.suppress(FileNotFoundError):  # being replaced just now
            stamp.append((path.name, path.stat().st_mtime_ns, path.stat().st_size))
    return _load(folder / MANIFEST, tuple(stamp))


@lru_cache(maxsize=32)
def _load(manifest: Path, stamp: tuple[Any, ...]) -> InstalledModel | ModelError:
    folder = manifest.parent
    try:
        said = _read(manifest)
        encoder, decoder = (_checked(folder, said["files"][part]) for part in ("encoder", "decoder"))
        prepare, mask = _fast_parts(folder, said["files"])
        others: dict[str, Any] = {
            part: _named(folder, said["files"][part]) for part in OTHER_FILES if part in said["files"]
        }
        size = int(said["input_size"])
        mean, std = _three(said["mean"]), _three(said["std"])
        if size != INPUT_SIZE or min(std) <= 0:
            raise ValueError(f"input_size is {INPUT_SIZE} and std is above 0")
        depends_on = [encoder.sha256, decoder.sha256, mean, std, *(one.sha256 for one in (prepare, mask) if one)]
        quick, tolerance = _quick(folder, said)
        depends_on += [quick.sha256] if quick and tolerance > SAME_RMS else []
        return InstalledModel(
            name=str(said["name"]),
            sha256=hashlib.sha256(json.dumps(depends_on).encode()).hexdigest(),
            input_size=size,
            mean=mean,
            std=std,
            encoder=encoder,
            decoder=decoder,
            candidate_rule=CandidateRule(said["candidate_rule"]),
            mask_feedback=bool(said["mask_feedback"]),
            prepare=prepare,
            mask=mask,
            architecture=str(said.get("architecture", "")),
            encoder_quick=quick,
            quick_tolerance=tolerance,
            **others,
            **_decoding(said.get("decode", {}), prepare is not None, "decoder_int8" in others),
        )
    except ModelError as error:
        return error
    except KeyError as error:
        return ModelError(f"{manifest.name} of {folder.name} does not say {error}. Install it again.")
    except (AttributeError, OSError, TypeError, ValueError) as error:
        return ModelError(f"{manifest.name} of {folder.name} is not right: {error}. Install it again.")


def _fast_parts(folder: Path, files: dict[str, Any]) -> tuple[ModelFile | None, ModelFile | None]:
    """What the fast decoder takes beside its own file; neither of a decoder in one file."""
    if "prepare" not in files:
        return None, None
    if "mask" not in files:
        raise ModelError(f"{folder.name} was exported by an older Edgewise. Install it again.")
    return _checked(folder, files["prepare"]), _checked(folder, files["mask"])


def _quick(folder: Path, said: dict[str, Any]) -> tuple[ModelFile | None, float]:
    """The encoder for processors, and its tolerance; none, and a line in the log, where it cannot be used."""
    if "encoder_quick" not in said["files"]:
        return None, 0.0
    about = said.get("encode", {})
    needs = about.get("needs", "")
    try:
        file = _checked(folder, said["files"]["encoder_quick"])
        if needs and needs not in abilities():
            raise ModelError(f"it was measured on a processor with {needs}, which this one has not.")
    except ModelError as error:
        log.warning(
            "%s: its quick encoder is left aside, and the exported one is used, which is slower: %s "
            "To have one made for this machine: python -m ml models tune %s",
            folder.name, error, folder.name,
        )  # fmt: skip
        return None, 0.0
    return file, float(about["tolerance"])


def _decoding(said: dict[str, Any], prepared: bool, has_int8: bool) -> dict[str, Any]:
    """What a manifest allows of decoding in parts; whole windows in full precision where it says nothing."""
    whole = [WHOLE_SIDE]
    fields = _fields(said.get("fields", whole))
    hover = _fields(said.get("hover_fields", fields))
    precision = said.get("precision", FP32)
    if precision not in (FP32, INT8) or (precision == INT8 and not has_int8):
        raise ValueError(f"precision is {FP32}, or {INT8} beside a file decoder_int8")
    far, hover_far = said.get("far", 0), said.get("hover_far", 0)
    stability, hover_stability = (float(said.get(name, 0)) for name in ("stability", "hover_stability"))
    if not (0 <= stability <= 1 and 0 <= hover_stability <= 1 and {far, hover_far} <= {0, 2, 4, 8}):
        raise ValueError("stability and hover_stability are between 0 and 1; far and hover_far are 0, 2, 4 or 8")
    if not prepared:
        fields = hover = tuple(whole)
    return {
        "fields": fields,
        "far": far,
        "stability": stability,
        "hover_fields": hover,
        "hover_far": hover_far,
        "hover_stability": hover_stability,
        "precision": precision,
    }


def _fields(said: Any) -> tuple[int, ...]:
    fields = tuple(int(side) for side in said)
    if fields != tuple(sorted({*fields, WHOLE_SIDE})) or not 8 <= fields[0] <= fields[-1] == WHOLE_SIDE:
        raise ValueError(f"fields rise to {WHOLE_SIDE}, the whole window")
    return fields


def _three(said: Any) -> tuple[float, float, float]:
    red, green, blue = (float(number) for number in said)
    if not all(map(math.isfinite, (red, green, blue))):
        raise ValueError("mean and std are finite")
    return red, green, blue


def _read(manifest: Path) -> dict[str, Any]:
    try:
        with manifest.open("rb") as file:
            said = json.loads(file.read(MAX_MANIFEST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{manifest.parent.name} has no readable {manifest.name}. Install it again.") from error
    if not isinstance(said, dict):
        raise ModelError(f"{manifest.name} of {manifest.parent.name} is not a manifest. Install it again.")
    return said


def _checked(folder: Path, entry: dict[str, Any]) -> ModelFile:
    file = _named(folder, entry)
    with file.path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != file.sha256:
        raise ModelError(f"{file.path.name} of {folder.name} is damaged or not the file it was. Install it again.")
    return file


def _named(folder: Path, entry: dict[str, Any]) -> ModelFile:
    """A file that the manifest names; what is in it is not read."""
    name = str(entry["path"])
    path = folder / name
    if Path(name).name != name or path.is_symlink() or not path.is_file():
        raise ModelError(f"{folder.name} lacks its file {Path(name).name!r}. Install it again.")
    return ModelFile(path, str(entry["sha256"]))
