"""Reshaping that an exported graph does in one step.

A size that is taken from a tensor becomes five steps of a graph whose dimensions may change, each a few microseconds;
a decoder had three hundred of them, a third of its time on a small field.
"""

from typing import Any

import torch
from torch import Tensor


def shaped(x: Tensor, *sizes: int) -> Tensor:
    """`x` with other dimensions: 0 is as long as that of `x` at the same place; exactly one -1 takes what is left."""
    found: Tensor = _Shaped.apply(x, sizes) if torch.onnx.is_in_onnx_export() else _reshaped(x, sizes)
    return found


def _reshaped(x: Tensor, sizes: tuple[int, ...]) -> Tensor:
    return x.reshape([x.shape[place] if size == 0 else size for place, size in enumerate(sizes)])


class _Shaped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: tuple[int, ...]) -> Tensor:
        return _reshaped(x, sizes)

    @staticmethod
    def symbolic(graph: Any, x: Any, sizes: tuple[int, ...]) -> Any:
        return graph.op("Reshape", x, graph.op("Constant", value_t=torch.tensor(sizes)))
