"""What this process can encode with, found out once, and the encoders that it has opened."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np
from django.conf import settings

from ml.encode import Ability, Encoder, choice_for, look, open_encoder
from ml.encode.choice import ONNX
from ml.models import InstalledModel, choose_model, installed_models

log = logging.getLogger(__name__)


def here() -> Ability:
    """What this process can encode with, and the models that are installed now."""
    choice, why = _chosen(settings.ENCODER)
    return look(choice, installed_models(settings.MODEL_DIRS), why)


def said() -> Mapping[str, Any]:
    """The same as a worker's beat has it."""
    return asdict(here())


@lru_cache(maxsize=2)  # a raster in the background, and a click in a project with another model
def encoder_of(model: InstalledModel) -> Encoder:
    """A model's encoder, opened once. Raises `ModelError`."""
    return open_encoder(model, choice_for(model, here()), settings.ENCODE_THREADS, compiled=settings.TORCH_COMPILE)


@lru_cache(maxsize=1)
def _chosen(asked: str) -> tuple[str, str]:
    """The encoder that is used where `asked` was, and why where that is another one.

    A graphics card is tried with a picture before any work is meant for it: a driver that does not fit, or a card
    without room, shows only then.
    """
    found = look(asked, installed_models(settings.MODEL_DIRS))
    if found.why:
        log.warning("%s This worker encodes with ONNX Runtime on the processor.", found.why)
        return ONNX, found.why
    if not found.card_models:
        return found.encoder, ""
    try:
        model = choose_model(settings.MODEL_DIRS, settings.MODEL)
        if model.name not in found.card_models:
            model = choose_model(settings.MODEL_DIRS, found.card_models[0])
        tried = open_encoder(model, found.encoder, settings.ENCODE_THREADS, compiled=settings.TORCH_COMPILE)
        tried.encode(np.full((model.input_size, model.input_size, 3), 127, np.uint8))
    except Exception as error:  # of the driver, the card or torch; none has a common base
        log.exception("The graphics card cannot be used; this worker encodes on the processor")
        return ONNX, f"The graphics card {found.card} was tried and failed: {_first_line(error)}"
    log.info("Encodes on %s with %s", found.card, found.encoder)
    return found.encoder, ""


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
