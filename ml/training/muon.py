"""Muon for processors without bfloat16 instructions, where the one of torch takes forty times as long.

`torch.optim.Muon` works in bfloat16, whatever the processor; on one with AVX2 alone a step of the small model's
matrices took 10.2 s beside 0.26 s in single precision.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

MOMENTUM, DECAY = 0.95, 0.1  # those of torch.optim.Muon
STEPS, LEAST = 5, 1e-7
QUINTIC = (3.4445, -4.7750, 2.0315)  # K. Jordan and others, 2024
ADAM_RMS = 0.2  # of an update of AdamW: J. Liu and others, "Muon is Scalable for LLM Training", 2025, section 2.2


class Muon(torch.optim.Optimizer):
    """`torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`, in single precision throughout."""

    def __init__(self, params: Iterable[dict[str, Any]], lr: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": DECAY})

    @torch.no_grad()
    def step(self) -> None:
        """Changes each matrix (rows, cols) by its momentum's nearest half-orthogonal matrix."""
        for given in self.param_groups:
            rate = given["lr"]
            for one in given["params"]:
                if one.grad is None:
                    continue
                momentum = self.state[one].setdefault("momentum", torch.zeros_like(one))
                momentum.lerp_(one.grad, 1 - MOMENTUM)
                update = even(one.grad.lerp(momentum, MOMENTUM))
                one.mul_(1 - rate * given["weight_decay"])
                one.add_(update, alpha=-rate * ADAM_RMS * math.sqrt(max(one.shape)))


def even(matrix: Tensor) -> Tensor:
    """A matrix with its singular values brought near 1, by five steps of Newton and Schulz's quintic iteration."""
    turned = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    found = turned / turned.norm().clamp(min=LEAST)
    straight, third, fifth = QUINTIC
    for _ in range(STEPS):
        square = found @ found.T
        found = torch.addmm(found, torch.addmm(square, square, square, beta=third, alpha=fifth), found, beta=straight)
    return found.T if matrix.shape[0] > matrix.shape[1] else found
