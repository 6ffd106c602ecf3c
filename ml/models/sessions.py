"""Opens an ONNX file for running, and refuses one that is not what Edgewise expects."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from ml.models.installed import ModelError, ModelFile

# A tensor says where its weights lie under the key "location"; its length may be written with needless zeros.
EXTERNAL = re.compile(rb"(?:\x08|\x88\x80{0,8}\x00)location")
Shapes = Mapping[str, Sequence[int | None]]  # of tensors by name; None is a dimension that may change

ENCODER_INPUTS: Shapes = {"image": (1, 3, 1024, 1024)}
FEATURES: Shapes = {
    "image_embed": (1, 256, 64, 64),
    "high_res_feats_0": (1, 32, 256, 256),
    "high_res_feats_1": (1, 64, 128, 128),
}
PROMPTS: Shapes = {
    "point_coords": (None, None, 2),
    "point_labels": (None, None),
    "mask_input": (None, 1, None, None),
    "has_mask_input": (None,),
}
FIELD_ORIGIN: Shapes = {"field_origin": (2,)}  # where a field of tokens lies in the frame: x, y in px
DECODER_INPUTS: Shapes = {**FEATURES, **PROMPTS, "mask_input": (None, 1, 256, 256)}  # of a decoder in one file
DECODER_OUTPUTS: Shapes = {
    "low_res_masks": (None, 4, 256, 256),
    "iou_predictions": (None, 4),
    "object_score": (None, 1),
}
MASK_TOKENS: Shapes = {"mask_tokens": (None, 4, 256)}

PREPARE_INPUTS: Shapes = {
    "image_embed": (1, 256, None, None),
    "high_res_feats_0": (1, 32, None, None),
    "high_res_feats_1": (1, 64, None, None),
    **FIELD_ORIGIN,
}
PREPARED: Shapes = {
    "image": (1, None, 256),
    "places": (1, None, 256),
    "keys": (1, 8, None, 16),
    "values": (1, 8, None, 16),
    "queries": (1, 8, None, 16),
    "fine": (1, None, None, 512),
    "middle": (1, None, None, 256),
}
MEMORY_ENCODER_INPUTS: Shapes = {
    "image_embed": (1, 256, 64, 64),
    "mask": (1, 1, 256, 256),
    "mask_token": (1, 256),
    "object_score": (1, 1),
    "from_points": (1,),
}
MEMORY_ENCODER_OUTPUTS: Shapes = {"memory": (1, 64, 64, 64), "pointer": (1, 256)}
MEMORY_ATTENTION_INPUTS: Shapes = {
    "image_embed": (1, 256, 64, 64),
    "memories": (None, 64, 64, 64),
    "memory_times": (None,),
    "pointers": (None, 256),
    "pointer_times": (None,),
}
MEMORY_ATTENTION_OUTPUTS: Shapes = {"conditioned": (1, 256, 64, 64)}
WHOLE_NUMBERS = {"memory_times", "near", "drawn"}  # int64; all else is float32
MASK_INPUTS: Shapes = {"mask_input": (None, 1, None, None)}
MASK_FEATURES: Shapes = {"mask_features": (None, None, 16)}
LOOK: Shapes = {  # how many tokens each stands for; the numbers of the near ones; which are drawn in any case; masks
    "counts": (None,),
    "near": (2, None, None),
    "least": (None, None),
    "offered": (5,),
}
DRAWN: Shapes = {"drawn": (4,)}  # row, column, rows and columns of `near` that the masks are given over
PREPARED_DECODER_INPUTS: Shapes = {  # of a decoder that takes what `prepare` made
    **PREPARED,
    **LOOK,
    "point_coords": PROMPTS["point_coords"],
    "point_labels": PROMPTS["point_labels"],
    **MASK_FEATURES,
    "has_mask_input": PROMPTS["has_mask_input"],
}


def open_session(
    file: ModelFile,
    threads: int,
    inputs: Shapes,
    outputs: Shapes,
    optional: Shapes | None = None,
    *,
    on_card: bool = False,
) -> onnxruntime.InferenceSession:
    """A session over one self-contained file. Raises `ModelError` for any other file.

    `optional` are inputs that it may ask for besides; `on_card` asks for an NVIDIA card, and for nothing else.
    The file is given to the runtime as bytes, without its place: weights in files beside it (external data, a way
    to read any file of the machine) cannot be found and are refused.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")  # never ORT's own format
    path = file.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read any more. Install it again.") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ModelError(f"{path.name} is damaged or not the file it was. Install it again.")
    if EXTERNAL.search(content):
        raise ModelError(f"{path.name} keeps its weights in other files. Export it as one file and install it again.")
    try:
        providers = ["CUDAExecutionProvider"] if on_card else []
        session = onnxruntime.InferenceSession(content, options, providers=[*providers, "CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions have no common base
        raise ModelError(f"{path.name} is not a model that can be run. Install it again.") from error
    if on_card and "CUDAExecutionProvider" not in session.get_providers():  # it only warns
        raise ModelError("ONNX Runtime could not use the graphics card: its CUDA libraries or the driver do not fit.")
    _expect(path, "input", inputs, session.get_inputs())
    _expect(path, "output", outputs, session.get_outputs())
    unknown = {node.name for node in session.get_inputs()} - {*inputs, *(optional or {})}
    if unknown:
        raise ModelError(f"{path.name} asks for {sorted(unknown)}, which SAM 2.1 does not. Install another model.")
    return session


def open_observed(file: ModelFile) -> onnxruntime.InferenceSession:
    """A session over a file of our own making with more outputs than a model has. Raises `ModelError`."""
    return open_session(file, 1, ENCODER_INPUTS, FEATURES)


def _expect(path: Path, side: str, wanted: Shapes, found: Sequence[Any]) -> None:
    """Names, types, and each fixed dimension; what the file leaves open may be anything."""
    nodes = {node.name: node for node in found}
    for name, shape in wanted.items():
        node = nodes.get(name)
        kind = "tensor(int64)" if name in WHOLE_NUMBERS else "tensor(float)"
        if node is None or len(node.shape) != len(shape) or node.type != kind:
            raise ModelError(
                f"{path.name} has no {side} {name!r} as Edgewise wants it. Install it again, or another model."
            )
        for want, have in zip(shape, node.shape, strict=True):
            if want is not None and isinstance(have, int) and have != want:
                raise ModelError(
                    f"{path.name}: {side} {name!r} is {node.shape}, not {list(shape)}. Install another model."
                )
