"""Weights in half precision: the same answers from half the room."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: .venv/bin/pip install '.[torch,train]'")

import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from ml.export.halves import halve  # noqa: E402

X = np.random.default_rng(1).standard_normal((5, 64)).astype(np.float32)


def product(path: Path, weight: np.ndarray) -> np.ndarray:
    """Writes the product with a matrix as a file."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 64])],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return answered(path)


def answered(path: Path) -> np.ndarray:
    """What a file computes."""
    (found,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": X})
    return np.asarray(found)


def test_exact_weights_take_half_the_room_and_answer_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    weight = np.random.default_rng(2).standard_normal((64, 64)).astype(np.float16).astype(np.float32)
    before, bytes_before = product(path, weight), path.stat().st_size
    assert halve(path) == 1
    assert path.stat().st_size < 0.55 * bytes_before
    assert np.array_equal(answered(path), before)


def test_weights_that_would_lose_something_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    weight = np.random.default_rng(2).standard_normal((64, 64)).astype(np.float16).astype(np.float32)
    weight[3, 3] = 1e6  # more than half precision holds
    before = product(path, weight)
    assert halve(path) == 0
    assert np.array_equal(answered(path), before)
