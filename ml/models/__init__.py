"""What each model is: its files, sizes, normalisation and rules; `installed` reads what lies on the disk."""

from ml.models.installed import (
    CandidateRule,
    InstalledModel,
    ModelError,
    ModelFile,
    choose_model,
    installed_models,
    load_model,
)

__all__ = [
    "CandidateRule",
    "InstalledModel",
    "ModelError",
    "ModelFile",
    "choose_model",
    "installed_models",
    "load_model",
]
