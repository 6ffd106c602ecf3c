"""Installs, exports and removes models: a folder appears whole and tried, or not at all."""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml.models import download
from ml.models.default import default_name
from ml.models.installed import MANIFEST, InstalledModel, ModelError, load_model
from ml.models.registry import Published, published

NEEDED = ("torch", "sam2", "onnx", "safetensors", "hydra")
TRIED = 8  # prompt sets that a new model is compared by before it is used; `verify` compares 200
OBJECTS_EACH = 5  # of each scene that decoding in parts is measured on
GROWTH = 3  # checkpoint, weights and ONNX files lie side by side for a while
OWN = "-own"


@dataclass(frozen=True)
class Steps:
    """Who hears how it goes: what is being done, and the bytes of a download done and in all."""

    say: Callable[[str], None] = lambda _: None
    bytes: download.Tell = lambda _done, _total: None


@dataclass(frozen=True)
class Source:
    """Where a checkpoint comes from: a file at hand, or a download.

    `own` takes weights of the same shape that are not the published ones, under a name of their own.
    """

    checkpoint: Path | None = None
    own: bool = False
    mirror: str = ""
    offline: bool = False
    steps: Steps = field(default_factory=Steps)


def install(name: str, into: Path, source: Source | None = None) -> InstalledModel:
    """Installs a published model into a folder of models. Raises `ModelError`, and then nothing is installed."""
    source = source or Source()
    wanted = published(name)
    _ensure_tools()
    into.mkdir(parents=True, exist_ok=True)
    with _alone(into):
        ensure_possible(name, into, source)
        home = into / (name + OWN if source.own else name)
        file = source.checkpoint or _downloaded(wanted, into, source)
        _ensure_genuine(wanted, file, source)
        with _aside(into) as aside:
            _make(wanted, file, aside / home.name, source)
            (aside / home.name).rename(home)
            _settle(into)
        if source.checkpoint is None:
            file.unlink()
    return load_model(home)


def export(model: InstalledModel, to: Path, steps: Steps | None = None) -> Path:
    """Writes an installed model's ONNX files anew from its weights into a new folder below `to`."""
    steps = steps or Steps()
    _ensure_tools()
    home = to / model.name
    if home.exists():
        raise ModelError(f"{home} is there already. Name another folder with --to.")
    from ml.export.folder import Card, write_folder
    from ml.export.weights import load_installed

    to.mkdir(parents=True, exist_ok=True)
    torch_model = load_installed(model)
    with _aside(to) as aside:
        card = Card(
            model.name,
            model.architecture,
            f"{model.name}, exported again.",
            {"weights": model.weights.sha256 if model.weights else ""},
            model.candidate_rule,
            model.mask_feedback,
        )
        remembers = model.memory_attention is not None
        write_folder(torch_model, aside / model.name, card, lambda what: steps.say(f"Writing {what}"), memory=remembers)
        (aside / model.name).rename(home)
        _settle(to)
    return home


def remove(name: str, into: Path) -> None:
    """Removes a model from the folder that models are installed into. Raises `ModelError`."""
    home = into / name
    if Path(name).name != name or not (home / MANIFEST).is_file():
        raise ModelError(f"No model named {name!r} lies in {into}. `python -m ml models list` says what is there.")
    if default_name(into) == name:
        raise ModelError(f"{name} is the default. Choose another first: python -m ml models default NAME")
    with _alone(into), _aside(into) as aside:
        home.rename(aside / name)
        _settle(into)


def _downloaded(wanted: Published, into: Path, source: Source) -> Path:
    path = _download_of(wanted, into)
    if not path.exists():
        source.steps.say(f"Downloading {wanted.name}")
        file = download.wanted(wanted, source.mirror)
        download.fetch(file, path, tell=source.steps.bytes, offline=source.offline)
    return path


def _download_of(wanted: Published, into: Path) -> Path:
    return into / ".downloads" / wanted.file_name


def _ensure_genuine(wanted: Published, file: Path, source: Source) -> None:
    """That a file is the published one, unless other weights are wanted."""
    if not file.is_file():
        raise ModelError(f"There is no file {file}. Give the checkpoint's path.")
    if source.own or wanted.sha256 is None:
        return
    if file.stat().st_size != wanted.bytes or _sha256(file) != wanted.sha256:
        if source.checkpoint is None:
            file.unlink()
        raise ModelError(
            f"{file.name} is not the published {wanted.file_name} (size or SHA-256 differs). Download it again; for "
            f"weights of your own of this shape, add --own: they are installed as {wanted.name}{OWN}."
        )


def _make(wanted: Published, file: Path, folder: Path, source: Source) -> None:
    """Writes the model's folder and tries it. Raises `ModelError`."""
    from ml.export.folder import Card, write_folder
    from ml.export.weights import load_checkpoint

    say = source.steps.say
    say("Reading the checkpoint")
    model = load_checkpoint(file, wanted)
    came_from = {"file": file.name, "sha256": _sha256(file)}
    if not source.own:
        came_from["address"] = wanted.address
    whose = "weights of your own in the shape of" if source.own else "Meta's"
    card = Card(folder.name, wanted.name, f"SAM 2.1: {whose} {wanted.file_name}.", came_from)
    write_folder(model, folder, card, lambda what: say(f"Writing {what}"), memory=True)
    say("Comparing with Meta's code")
    found = _compared(load_model(folder), model, TRIED)
    if not found.passed:
        raise ModelError(f"The exported model does not answer as its checkpoint does.\n{found.table()}")


def verify(model: InstalledModel, prompt_sets: int, tell: Callable[[int], None]) -> Any:
    """Compares an installed model with Meta's code and its own weights; a `Parity`. Raises `ModelError`."""
    _ensure_tools()
    from ml.export.weights import load_installed

    return _compared(model, load_installed(model), prompt_sets, tell)


def agreement(model: InstalledModel, scenes: int, tell: Callable[[str], None], *, write: bool = False) -> Any:
    """Measures whether a model may be decoded in parts and in eight bits; the `Way` that was chosen.

    `write` puts the choice into its manifest. Raises `ModelError` where the scenes cannot be drawn, or there is no way
    but the whole window.
    """
    if importlib.util.find_spec("cv2") is None:
        raise ModelError("Drawing the scenes needs OpenCV: pip install opencv-python-headless")
    if model.prepare is None:
        raise ModelError(f"{model.name} decodes whole windows only: it has no file `prepare`. Install a newer export.")
    from ml.encode.onnx_encoder import OnnxEncoder
    from ml.quality.agreement import agreements, choice, record
    from ml.quality.pictures import held_out_scenes

    found = agreements(model, OnnxEncoder(model), held_out_scenes(scenes, OBJECTS_EACH), tell)
    if not write:
        return choice(found)
    return record(model.encoder.path.parent, found, f"{scenes} held-out scenes, {OBJECTS_EACH} objects each")


def quicken(model: InstalledModel, tell: Callable[[str], None], *, measured: bool = True) -> InstalledModel:
    """Gives a model the quickest encoder for processors that was measured to agree; the model as it is then.

    Without `measured` the exported encoder is kept, or comes back. `tell` hears what was found, and what becomes of
    the embeddings that there are. A model without weights, or a machine without torch, keeps what it has.
    """
    missing = missing_tools()
    folder = model.encoder.path.parent
    if measured and (missing or model.weights is None):
        lacks = f"this Python has not {', '.join(missing)}" if missing else "it was installed without its weights"
        tell(f"The encoder of {model.name} stays as it is: {lacks}.")
        return model
    if measured:
        from ml.export.quick_choice import choose_quick_encoder
        from ml.export.weights import load_installed

        choose_quick_encoder(folder, load_installed(model), tell=tell)
    elif model.encoder_quick is not None:
        from ml.export.quick_choice import keep_exported

        keep_exported(folder)
    now = load_model(folder)
    tell(f"{now.name} encodes on processors with {told_encoder(now)}.")
    if now.sha256 != model.sha256:
        tell(
            "Its embeddings are not those of before: windows are encoded again where somebody clicks, or when encoding "
            "is started. The old ones can be removed on the page of models."
        )
    return now


def told_encoder(model: InstalledModel) -> str:
    """What a model encodes with on processors, and how far its embeddings may lie from full precision."""
    if model.encoder_quick is None:
        return "the exported encoder, in full precision"
    kept = "are kept apart from" if model.own_embeddings else "count as"
    return (
        f"its quick encoder; its embeddings lie within {model.quick_tolerance:g} of the features' deviation (root mean "
        f"square), and {kept} those of other encoders"
    )


def _compared(model: InstalledModel, torch_model: Any, sets: int, tell: Callable[[int], None] = lambda _: None) -> Any:
    from ml.export.parity import compare

    return compare(model, torch_model, prompt_sets=sets, tell=tell)


def missing_tools() -> list[str]:
    """What converting a checkpoint needs and this Python has not."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def part_of(name: str, into: Path) -> int:
    """How many bytes of a published model an earlier download has brought."""
    whole = _download_of(published(name), into)
    return next((path.stat().st_size for path in (whole, download.part_of(whole)) if path.is_file()), 0)


def ensure_possible(name: str, into: Path, source: Source) -> None:
    """Says before anything begins what would stop an installation. Raises `ModelError`."""
    wanted = published(name)
    home = into / (name + OWN if source.own else name)
    if home.exists():
        raise ModelError(f"{home.name} is installed in {into}. Remove it first: python -m ml models remove {home.name}")
    _ensure_tools()
    if source.checkpoint is None and not _download_of(wanted, into).exists():
        download.ensure_allowed(download.wanted(wanted, source.mirror), offline=source.offline)
    into.mkdir(parents=True, exist_ok=True)
    download.ensure_room(into, wanted.bytes * (GROWTH if source.checkpoint is None else GROWTH - 1))


def _ensure_tools() -> None:
    missing = missing_tools()
    if missing:
        raise ModelError(
            f"Converting a checkpoint needs {', '.join(missing)}, which this Python has not. Install them as "
            "CONTRIBUTING.md says (EDGEWISE_WITH_TORCH=1 make test does), or copy a folder here that another machine "
            "has exported with: python -m ml models export NAME --to FOLDER"
        )


@contextlib.contextmanager
def _alone(into: Path) -> Iterator[None]:
    """One command at a time; what a killed one left is swept up."""
    with (into / ".lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ModelError(f"Another command is at work in {into}. Wait until it has ended.") from error
        shutil.rmtree(into / ".aside", ignore_errors=True)
        yield


@contextlib.contextmanager
def _aside(into: Path) -> Iterator[Path]:
    """A folder for what is being made, two levels below so that nobody takes it for a model; gone afterwards."""
    aside = into / ".aside" / secrets.token_hex(6)
    aside.mkdir(parents=True)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):
            aside.parent.rmdir()


def _settle(folder: Path) -> None:
    """Has a rename itself reach the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
