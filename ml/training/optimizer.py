"""How weights follow their gradients: matrices between hidden layers by Muon, all else by AdamW."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as group
from torch import Tensor, nn

from ml.training import network
from ml.training.muon import Muon
from ml.training.stages import Stage

DECAY = 0.03
LEAST_SIDE = 16  # of a matrix that Muon is for
BETAS = (0.9, 0.98)


class Optimizer:
    """One for all processes of a run, each of which works out a share of Muon's updates and tells the others.

    Muon (K. Jordan and others, 2024) replaces a matrix's momentum by the nearest half-orthogonal matrix; scaled as by
    J. Liu and others ("Muon is Scalable for LLM Training", 2025) one rate serves it and AdamW.
    """

    def __init__(self, named: Sequence[tuple[str, nn.Parameter]], stage: Stage, rank: int, processes: int) -> None:
        self.processes = processes
        self.matrices = [one for name, one in named if mixes(name, one)]
        by_size = sorted(range(len(self.matrices)), key=lambda index: -self.matrices[index].numel())
        mine = {id(self.matrices[index]) for place, index in enumerate(by_size) if place % processes == rank}
        owned = [(name, one) for name, one in named if id(one) in mine]
        others = [(name, one) for name, one in named if not mixes(name, one)]
        self._parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(_groups(others, stage), lr=stage.rate, betas=BETAS),
            _muon(_groups(owned, stage), stage.rate),
        ]
        self._mine = mine

    def step(self, rate: float) -> None:
        """Changes all weights by their gradients, which are the same in every process, and forgets the gradients."""
        for part in self._parts:
            for parameters in part.param_groups:
                parameters["lr"] = rate * parameters["share"]
            part.step()
        self._tell()
        for part in self._parts:
            part.zero_grad(set_to_none=True)
        for one in self.matrices:
            one.grad = None

    @torch.no_grad()
    def _tell(self) -> None:
        """Every process gets the matrices that the others have changed."""
        if self.processes == 1:
            return
        moved = [one for one in self.matrices if one.grad is not None]
        if not moved:
            return
        flat = torch.cat([(one if id(one) in self._mine else torch.zeros_like(one)).flatten() for one in moved])
        group.all_reduce(flat)
        for one, value in zip(moved, pieces(flat, moved), strict=True):
            one.copy_(value)


def mixes(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter is a matrix between two hidden layers."""
    return parameter.ndim == 2 and min(parameter.shape) >= LEAST_SIDE and not _stands_for_itself(name)


def _muon(groups: list[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
    if network.has_tiles():
        return torch.optim.Muon(groups, lr=rate, adjust_lr_fn="match_rms_adamw")
    return Muon(groups, rate)


def pieces(flat: Tensor, like: Iterable[Tensor]) -> list[Tensor]:
    """The tensors that lie one after the other in a flat one."""
    found, at = [], 0
    for one in like:
        found.append(flat[at : at + one.numel()].view_as(one))
        at += one.numel()
    return found


def _groups(named: Sequence[tuple[str, nn.Parameter]], stage: Stage) -> list[dict[str, Any]]:
    """An optimiser's groups, each with its `share` of the rate."""
    parts: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        decodes = name.startswith("sam_") and "conv_s" not in name
        share = 1.0 if decodes or not stage.decodes else stage.encoder_rate
        decay = DECAY if parameter.ndim > 1 and not _stands_for_itself(name) else 0.0
        parts.setdefault((share, decay), []).append(parameter)
    return [{"params": found, "share": share, "weight_decay": decay} for (share, decay), found in parts.items()]


def _stands_for_itself(name: str) -> bool:
    """Tokens and embeddings, whose rows are not maps from one layer to the next."""
    return "embed" in name or name.endswith(("token.weight", "tokens.weight"))
