"""Opens an ONNX file for running, and refuses one that is not what Edgewise expects."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from ml.models.installed import ModelError

ENCODER_INPUTS: Mapping[str, Sequence[Any]] = {"image": (1, 3, 1024, 1024)}
FEATURES: Mapping[str, Sequence[Any]] = {
    "image_embed": (1, 256, 64, 64),
    "high_res_feats_0": (1, 32, 256, 256),
    "high_res_feats_1": (1, 64, 128, 128),
}
DECODER_INPUTS: Mapping[str, Sequence[Any]] = {
    **FEATURES,
    "point_coords": (None, None, 2),
    "point_labels": (None, None),
    "mask_input": (None, 1, 256, 256),
    "has_mask_input": (None,),
}
DECODER_OUTPUTS: Mapping[str, Sequence[Any]] = {
    "low_res_masks": (None, 4, 256, 256),
    "iou_predictions": (None, 4),
    "object_score": (None, 1),
}


def open_session(
    path: Path, threads: int, inputs: Mapping[str, Sequence[Any]], outputs: Mapping[str, Sequence[Any]]
) -> onnxruntime.InferenceSession:
    """A CPU session over one self-contained file. Raises `ModelError` for any other file.

    The file is given to the runtime as bytes, without its place: weights in files beside it (external data, a way
    to read any file of the machine) cannot be found and are refused.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    content = path.read_bytes()
    if b"external_data" in content or b"\x0a\x08location\x12" in content:
        raise ModelError(f"{path.name} keeps its weights in other files. Export it as one file and install it again.")
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions have no common base
        raise ModelError(f"{path.name} is not a model that can be run. Install it again.") from error
    _expect(path, "input", inputs, session.get_inputs())
    _expect(path, "output", outputs, session.get_outputs())
    return session


def _expect(path: Path, side: str, wanted: Mapping[str, Sequence[Any]], found: Sequence[Any]) -> None:
    shapes = {node.name: node.shape for node in found}
    for name, shape in wanted.items():
        if name not in shapes or len(shapes[name]) != len(shape):
            raise ModelError(f"{path.name} has no {side} {name!r} as SAM 2.1 has it. Install another model.")
        for want, have in zip(shape, shapes[name], strict=True):
            if want is not None and isinstance(have, int) and have != want:
                raise ModelError(f"{path.name}: {side} {name!r} is {shapes[name]}, not {list(shape)}.")
