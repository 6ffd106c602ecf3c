"""Meta's predictor with the weights of an installed model, for the groups that compare with it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.bench.harness import ROOT
from tests.support import sam2_reference

MODELS = ROOT / "fixtures" / "models"
NO_WEIGHTS = "no weights of an installed model; set EDGEWISE_TEST_MODELS to the folder that holds NAME/*.pt"


@dataclass(frozen=True)
class Reference:
    """The folder of an installed model, and the file of its weights with the configuration beside it."""

    model: Path
    weights: Path
    config: Path

    def predictor(self) -> Any:
        """A `SAM2ImagePredictor` of its own."""
        return sam2_reference.predictor(self.config, self.weights)


def reference() -> Reference | None:
    """The first installed model of which the weights are at hand."""
    shared = os.environ.get("EDGEWISE_TEST_MODELS", "")
    for folder in sorted(manifest.parent for manifest in MODELS.glob("*/model.json")):
        for beside in (folder, *([Path(shared, folder.name)] if shared else [])):
            weights, configs = sorted(beside.glob("*.pt")), sorted(beside.glob("*.yaml"))
            if weights and configs:
                return Reference(folder, weights[0], configs[0])
    return None


def iou(ours: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_]) -> float:
    """1 where neither has anything."""
    union = int((ours | theirs).sum())
    return int((ours & theirs).sum()) / union if union else 1.0
