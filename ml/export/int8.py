"""Writes the decoder once more with weights of eight bits, for processors that multiply those faster."""

import logging
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

MATRICES = ("MatMul", "Gemm")


def write_int8(decoder: Path, path: Path) -> None:
    """The same graph: weights of plain matrix products in int8 by output channel, activations by what they turn out.

    Products of two activations and the products by head (three axes, for which the runtime has no channels) stay in
    full precision. Seven of the eight bits are used: without VNNI two products of eight overflow sixteen bits.
    """
    graph = onnx.load(str(decoder)).graph
    axes = {weight.name: len(weight.dims) for weight in graph.initializer}
    plain = [node.name for node in graph.node if node.op_type in MATRICES and axes.get(node.input[1]) == 2]
    told = logging.getLogger()
    before, told.level = told.level, logging.ERROR  # it advises to prepare the graph for static ranges
    try:
        quantize_dynamic(
            str(decoder),
            str(path),
            op_types_to_quantize=list(MATRICES),
            nodes_to_quantize=plain,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
    finally:
        told.level = before
