"""Reshaping and slicing that an exported graph does in one step.

A size or place that is taken from a tensor becomes some five steps of a graph whose dimensions may change, each of two
microseconds: of a decoder that looks at a small field that was a fifth of the time.
"""

from typing import Any

import torch
from torch import Tensor


def shaped(x: Tensor, *sizes: int) -> Tensor:
    """`x` with other dimensions: 0 is as long as that of `x` at the same place; exactly one -1 takes what is left."""
    found: Tensor = _Shaped.apply(x, sizes) if torch.onnx.is_in_onnx_export() else _reshaped(x, sizes)
    return found


def cut(x: Tensor, begin: Tensor, end: Tensor) -> Tensor:
    """Of the last two axes of `x` what lies from `begin` (2,) up to `end` (2,)."""
    found: Tensor = _Cut.apply(x, begin, end)
    return found


def first_and_last(marked: Tensor) -> tuple[Tensor, Tensor]:
    """The numbers (1,) of the first and of the last of the greatest entries of (n,)."""
    return marked.argmax(0, keepdim=True), _Last.apply(marked)


def _reshaped(x: Tensor, sizes: tuple[int, ...]) -> Tensor:
    return x.reshape([x.shape[place] if size == 0 else size for place, size in enumerate(sizes)])


class _Shaped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: tuple[int, ...]) -> Tensor:
        return _reshaped(x, sizes)

    @staticmethod
    def symbolic(graph: Any, x: Any, sizes: tuple[int, ...]) -> Any:
        return graph.op("Reshape", x, graph.op("Constant", value_t=torch.tensor(sizes)))


class _Cut(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, begin: Tensor, end: Tensor) -> Tensor:
        (top, left), (bottom, right) = begin.tolist(), end.tolist()
        return x[..., top:bottom, left:right].clone()

    @staticmethod
    def symbolic(graph: Any, x: Any, begin: Any, end: Any) -> Any:
        return graph.op("Slice", x, begin, end, graph.op("Constant", value_t=torch.tensor([-2, -1])))


class _Last(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, marked: Tensor) -> Tensor:
        return len(marked) - 1 - marked.flip(0).argmax(0, keepdim=True)

    @staticmethod
    def symbolic(graph: Any, marked: Any) -> Any:
        return graph.op("ArgMax", marked, axis_i=0, keepdims_i=1, select_last_index_i=1)
