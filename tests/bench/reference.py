"""Meta's predictor with the weights of an installed model, for the groups that compare with it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.models import load_model
from tests.bench.harness import ROOT
from tests.support import sam2_reference

MODELS = ROOT / "fixtures" / "models"
NO_WEIGHTS = (
    "no weights of an installed model; set EDGEWISE_TEST_MODELS to the folder that holds NAME/*.pt, or BENCH_MODEL to "
    "that of a model that was exported with its weights"
)


@dataclass(frozen=True)
class Reference:
    """The folder of an installed model that holds its weights, or the file of them with the configuration beside it."""

    model: Path
    weights: Path | None = None
    config: Path | None = None

    def predictor(self) -> Any:
        """A `SAM2ImagePredictor` of its own."""
        if self.weights is not None and self.config is not None:
            return sam2_reference.predictor(self.config, self.weights)
        from ml.export.reference import predictor_of
        from ml.export.weights import load_installed

        return predictor_of(load_installed(load_model(self.model)))


def reference() -> Reference | None:
    """The model that BENCH_MODEL names, else the first shipped one of which the weights are at hand."""
    if named := os.environ.get("BENCH_MODEL"):
        return Reference(Path(named))
    shared = os.environ.get("EDGEWISE_TEST_MODELS", "")
    for folder in sorted(manifest.parent for manifest in MODELS.glob("*/model.json")):
        if load_model(folder).weights is not None:
            return Reference(folder)
        for beside in (folder, *([Path(shared, folder.name)] if shared else [])):
            weights, configs = sorted(beside.glob("*.pt")), sorted(beside.glob("*.yaml"))
            if weights and configs:
                return Reference(folder, weights[0], configs[0])
    return None


def iou(ours: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_]) -> float:
    """1 where neither has anything."""
    union = int((ours | theirs).sum())
    return int((ours & theirs).sum()) / union if union else 1.0
