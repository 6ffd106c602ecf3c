"""Tiny models with the interface of SAM 2.1 that answer with constants, to be spoilt in tests."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx import save as save_onnx

from ml.models.sessions import DECODER_INPUTS, DECODER_OUTPUTS, ENCODER_INPUTS, FEATURES

Shapes = Mapping[str, Sequence[Any]]


def graph_of(inputs: Shapes, outputs: Shapes, element: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """A model whose outputs are filled with one hundredth; None in a shape is a free dimension."""

    def info(name: str, shape: Sequence[Any]) -> Any:
        return helper.make_tensor_value_info(name, element, [size or f"{name}_{i}" for i, size in enumerate(shape)])

    nodes, weights = [], []
    for name, shape in outputs.items():
        fixed = np.array([size or 1 for size in shape], np.int64)
        weights.append(numpy_helper.from_array(fixed, f"{name}_shape"))
        value = helper.make_tensor("value", element, [1], [0.01])
        nodes.append(helper.make_node("ConstantOfShape", [f"{name}_shape"], [name], value=value))
    graph = helper.make_graph(
        nodes,
        "constant",
        [info(name, shape) for name, shape in inputs.items()],
        [info(name, shape) for name, shape in outputs.items()],
        weights,
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model


def encoder_of(inputs: Shapes = ENCODER_INPUTS, outputs: Shapes = FEATURES) -> onnx.ModelProto:
    """An encoder that sees the same in every image."""
    return graph_of(inputs, outputs)


def decoder_of(inputs: Shapes = DECODER_INPUTS, outputs: Shapes = DECODER_OUTPUTS) -> onnx.ModelProto:
    """A decoder whose masks are all alike."""
    return graph_of(inputs, outputs)


def install(
    folder: Path,
    encoder: onnx.ModelProto | bytes | None = None,
    decoder: onnx.ModelProto | bytes | None = None,
    **changes: Any,
) -> Path:
    """A model's folder with a manifest that fits its files; `changes` replace entries, None takes one away."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for part, given in (("encoder", encoder or encoder_of()), ("decoder", decoder or decoder_of())):
        path = folder / f"{part}.onnx"
        if isinstance(given, bytes):
            path.write_bytes(given)
        else:
            save_onnx(given, path)
        files[part] = {"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    manifest = {
        "name": folder.name,
        "files": files,
        "input_size": 1024,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "candidate_rule": "sam2",
        "mask_feedback": True,
        **changes,
    }
    said = {key: value for key, value in manifest.items() if value is not None}
    (folder / "model.json").write_text(json.dumps(said))
    return folder
