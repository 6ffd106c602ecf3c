"""Reads the weights of a SAM 2.1 model: a checkpoint as Meta publishes them, or our own safetensors; never code."""

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ml.models.installed import InstalledModel, ModelError, load_model
from ml.models.registry import PUBLISHED, Published

PATCH = "image_encoder.trunk.patch_embed.proj.weight"
BLOCK = "image_encoder.trunk.blocks."
ONLY_IN_21 = "no_obj_embed_spatial"  # SAM 2.0 has no such weight
NANO = "edgewise-nano"
NANO_CONFIG = Path(__file__).parents[1] / "training" / "edgewise_nano.yaml"
# What `sam2.build_sam.build_sam2` adds to every configuration.
STABILITY = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


def build(architecture: str) -> Any:
    """A SAM2Base of random weights, by the configuration that comes with `sam2` or with our trainer.

    Only named architectures are built: a configuration names the classes that are made, so none is read from a file
    that somebody brought. Raises `ModelError`.
    """
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    config = OmegaConf.load(_config(architecture))
    config.model.sam_mask_decoder_extra_args = STABILITY
    return instantiate(config.model, _recursive_=True).eval()


def build_video(model: Any, architecture: str) -> Any:
    """A SAM2VideoPredictor with a model's weights, which leaves the masks as they come. Raises `ModelError`."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    config = OmegaConf.load(_config(architecture))
    config.model.sam_mask_decoder_extra_args = STABILITY
    config.model._target_ = "sam2.sam2_video_predictor.SAM2VideoPredictor"
    config.model.binarize_mask_from_pts_for_mem_enc = True  # as `build_sam2_video_predictor` has it
    predictor = instantiate(config.model, _recursive_=True).eval()
    predictor.load_state_dict(model.state_dict(), strict=True)
    return predictor


def load_checkpoint(path: Path, wanted: Published) -> Any:
    """The model that a file in Meta's format (`{"model": weights}`) holds. Raises `ModelError` and loads no code."""
    state = read_checkpoint(path)
    found = _which(state)
    if found != wanted.name:
        raise ModelError(f"{path.name} is {found}, not {wanted.name}. Name the model that it is, or give another file.")
    return fill(wanted.name, state, path.name)


def load_installed(model: InstalledModel) -> Any:
    """The torch model of an installed one. Raises `ModelError`."""
    if model.weights is None or not model.architecture:
        raise ModelError(f"{model.name} was installed without its weights, as ONNX only. Install it from a checkpoint.")
    return load_weights(model.weights.path, model.architecture, model.weights.sha256)


def nano_in(folder: Path) -> InstalledModel:
    """The small model in a folder, with the weights that training begins with. Raises `ModelError` for any other."""
    model = load_model(folder)
    if model.architecture != NANO or model.weights is None:
        raise ModelError(f"{folder} holds no weights of {NANO}; name a folder that `python -m ml.training.pack` made")
    return model


def load_weights(path: Path, architecture: str, sha256: str | None = None) -> Any:
    """The model of a safetensors file of ours. Raises `ModelError`."""
    from safetensors.torch import load

    content = path.read_bytes()
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"{path.name} is damaged or not the file it was. Install the model again.")
    try:
        state = load(content)
    except Exception as error:  # the reader's own exception has no stable home
        raise ModelError(f"{path.name} cannot be read as safetensors. Install the model again.") from error
    return fill(architecture, state, path.name)


def save_weights(model: Any, path: Path, *, half: bool = False) -> None:
    """All weights of a model as safetensors, in half precision if that is asked for."""
    from safetensors.torch import save_file

    kept = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    save_file({name: tensor.half() if half else tensor for name, tensor in kept.items()}, str(path))


def read_checkpoint(path: Path) -> Mapping[str, Tensor]:
    """The weights in a file of Meta's format, by name. Raises `ModelError`; whatever code the file holds is not run."""
    _ensure_archive(path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of the unpickler, the archive or the system: none is to be trusted
        if "weights_only" in str(error) or "Weights only" in str(error):
            raise ModelError(
                f"{path.name} holds more than weights, and that could be code. It was not loaded. "
                "Take the checkpoint from where its makers publish it."
            ) from error
        raise ModelError(f"{path.name} is cut short, damaged, or not a checkpoint. Download it again.") from error
    state = held.get("model") if isinstance(held, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(one, Tensor) for one in state.values()):
        raise ModelError(f"{path.name} holds no weights under 'model' as SAM 2.1's checkpoints do. Give another file.")
    return state


def _ensure_archive(path: Path) -> None:
    """That it begins like a file of torch: a zip, or the older bare pickle."""
    try:
        with path.open("rb") as file:
            begin = file.read(2)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}. Give the checkpoint's path.") from error
    if begin != b"PK" and begin[:1] != b"\x80":
        raise ModelError(f"{path.name} is not a checkpoint. Download it again.")


def _which(state: Mapping[str, Tensor]) -> str:
    """The name of the published model whose shape these weights have, or what they are instead."""
    blocks = len({name[len(BLOCK) :].split(".")[0] for name in state if name.startswith(BLOCK)})
    width = state[PATCH].shape[0] if PATCH in state else 0
    for model in PUBLISHED:
        if (model.width, model.blocks) == (width, blocks):
            return model.name if ONLY_IN_21 in state else f"a SAM 2.0 checkpoint (like {model.name}, but older)"
    return "the checkpoint of another kind of model"


def fill(architecture: str, state: Mapping[str, Tensor], name: str) -> Any:
    """The model of these weights, which must be exactly its own; `name` is their file's. Raises `ModelError`."""
    model = build(architecture)
    own = model.state_dict()
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    misshapen = sorted(key for key in own.keys() & state.keys() if own[key].shape != state[key].shape)
    for what, keys in (("lacks", missing), ("has, beyond the model,", unknown), ("has in another shape", misshapen)):
        if keys:
            raise ModelError(f"{name} {what} {keys[0]} and {len(keys) - 1} more weights. It is not {architecture}.")
    broken = next((key for key, one in state.items() if not bool(torch.isfinite(one).all())), None)
    if broken is not None:
        raise ModelError(f"{name} holds numbers that are none (in {broken}). Download it again.")
    model.load_state_dict(state, strict=True)
    return model


def _config(architecture: str) -> Path:
    if architecture == NANO:
        return NANO_CONFIG
    spec = importlib.util.find_spec("sam2")
    for model in PUBLISHED:
        if model.name == architecture and spec is not None and spec.submodule_search_locations:
            return Path(spec.submodule_search_locations[0], model.config)
    raise ModelError(f"There is no architecture named {architecture!r}. Install the model again.")
