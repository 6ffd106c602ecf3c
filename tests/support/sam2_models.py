"""Checkpoints of random weights in Meta's format, and a model installed from one; needs torch and `sam2`."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ml.models import InstalledModel, load_model, registry
from ml.models.install import Source, install
from tests.support import sam2_reference
from tests.support.file_server import Served, serving

TINY = "sam2.1_hiera_tiny"
with_torch = pytest.mark.skipif(not sam2_reference.available(), reason=sam2_reference.MISSING)


def random_checkpoint(path: Path, architecture: str = TINY, seed: int = 1) -> Path:
    """Writes one; the same weights for the same seed."""
    import torch

    from ml.export.weights import build

    torch.manual_seed(seed)
    torch.save({"model": build(architecture).state_dict()}, path)
    return path


def small_model(folder: Path, *, there: bool = True) -> InstalledModel:
    """A model of edgewise-nano's architecture with random weights and memory, to which an object is always `there`."""
    import torch

    from ml.export.folder import Card, write_folder
    from ml.export.weights import NANO, build

    torch.set_num_threads(1)  # for all tests: two wait for each other where the machine does other work
    torch.manual_seed(2)
    model = build(NANO)
    with torch.no_grad():
        model.sam_mask_decoder.pred_obj_score_head.layers[2].bias.fill_(5.0 if there else -5.0)
    write_folder(model, folder, Card("small", NANO, "random weights"), memory=True)
    return load_model(folder)


def state_of(path: Path) -> dict[str, Any]:
    """The weights in a checkpoint."""
    from ml.export.weights import read_checkpoint

    return dict(read_checkpoint(path))


def publish(monkeypatch: pytest.MonkeyPatch, path: Path, architecture: str = TINY) -> None:
    """Makes a file pass for the published checkpoint of its name."""
    content = path.read_bytes()
    known = tuple(
        replace(one, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        if one.name == architecture
        else one
        for one in registry.PUBLISHED
    )
    monkeypatch.setattr(registry, "PUBLISHED", known)


def install_downloaded(folder: Path) -> InstalledModel:
    """A tiny model of random weights, downloaded from a server on loopback and installed as the command does."""
    import torch

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = random_checkpoint(folder / "given.pt")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("no_proxy", "*")
        publish(monkeypatch, checkpoint)
        with serving(Served(checkpoint.read_bytes(), cut_after=[100_000_000])) as served:
            return install(TINY, folder / "models", Source(mirror=served.address))
