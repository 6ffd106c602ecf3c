"""Meta's own predictor as the reference, on a machine with torch and without torchvision."""

import importlib.util
from pathlib import Path
from typing import Any

MISSING = "torch and sam2 are not installed (see CONTRIBUTING.md: EDGEWISE_WITH_TORCH=1 make test)"


def available() -> bool:
    """Whether the reference can run here."""
    return all(importlib.util.find_spec(name) for name in ("torch", "sam2", "safetensors"))


def predictor(config: Path, weights: Path) -> Any:
    """A `SAM2ImagePredictor` for a hydra configuration file and a `{"model": state_dict}` file, on the CPU.

    The file is read with `weights_only`; every key must match. Raises `ModelError` or `RuntimeError` otherwise.
    """
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from ml.export.reference import predictor_of
    from ml.export.weights import read_checkpoint

    described = OmegaConf.load(config)
    OmegaConf.resolve(described)
    model = instantiate(described.model, _recursive_=True)
    model.load_state_dict(read_checkpoint(weights), strict=True)
    return predictor_of(model)
