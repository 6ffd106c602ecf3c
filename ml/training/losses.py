"""What is asked of masks, scores and features."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

# sam2's training/loss_fns.py and fine-tuning configuration have 20, 1, 1: dice makes an unsure mask choose one meaning.
FOCAL, DICE, SCORE = 15.0, 2.0, 1.0
ALPHA, GAMMA = 0.25, 2.0  # of the focal loss, inside, and its power: as there
OTHERS = 0.03  # of the ambiguous outputs that were not the best
OFFSETS = ((0, 1), (1, 0), (0, 4), (4, 0), (0, 12), (12, 0), (8, 8), (8, -8))  # rows, columns, in cells


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """(B,): one minus the soft overlap of masks (B, H, W)."""
    share, truth = logits.sigmoid().flatten(1), truth.flatten(1)
    return 1 - (2 * (share * truth).sum(1) + 1) / (share.sum(1) + truth.sum(1) + 1)


def focal(logits: Tensor, truth: Tensor) -> Tensor:
    """(B,): cross entropy with little weight on what is sure."""
    share = logits.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    right = share * truth + (1 - share) * (1 - truth)
    weight = ALPHA * truth + (1 - ALPHA) * (1 - truth)
    return (weight * entropy * (1 - right) ** GAMMA).flatten(1).mean(1)


def balanced(logits: Tensor, truth: Tensor) -> Tensor:
    """(B,): cross entropy in which inside and outside count alike, whatever an object's size."""
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").flatten(1)
    inside = truth.flatten(1)
    outside = 1 - inside
    return (entropy * inside).sum(1) / (inside.sum(1) + 1) + (entropy * outside).sum(1) / (outside.sum(1) + 1)


def overlap(logits: Tensor, truth: Tensor) -> Tensor:
    """(B, M): IoU of masks (B, M, H, W) with the truth (B, H, W)."""
    found, there = logits > 0, truth[:, None] > 0
    both = (found & there).flatten(2).sum(2)
    either = (found | there).flatten(2).sum(2)
    return both / either.clamp(min=1)


def alike(one: Tensor, other: Tensor) -> Tensor:
    """(B, M): how far masks (B, M, H, W) are from each other: 0 where they are equal, whatever they are.

    The soft Dice of V-Net (Milletari et al. 2016, with squares below the line).
    """
    first, second = one.sigmoid().flatten(2), other.sigmoid().flatten(2)
    both, each = (first * second).sum(2), (first**2).sum(2) + (second**2).sum(2)
    return 1 - (2 * both + 1) / (each + 1)


@dataclass(frozen=True, eq=False)
class Judged:
    """The loss of a round, and the IoU (B, 4) of its outputs."""

    loss: Tensor
    overlaps: Tensor


def judge(masks: Tensor, scores: Tensor, present: Tensor, truth: Tensor, even: float) -> Judged:
    """SAM 2's loss on the single output and on the best of the three, `even` of it balanced instead of focal."""
    count = masks.shape[1]
    each = truth[:, None].expand_as(masks)
    logits, wanted = masks.flatten(0, 1), each.flatten(0, 1)
    loss = DICE * dice(logits, wanted) + (1 - even) * FOCAL * focal(logits, wanted)
    if even > 0:
        loss = loss + even * balanced(logits, wanted)
    loss = loss.view(-1, count)
    overlaps = overlap(masks.detach(), truth)
    best = loss[:, 1:].min(1).values
    score = (scores - overlaps).abs().mean(1)
    there = functional.softplus(-present[:, 0])  # everything that is asked for is there
    total = loss[:, 0] + best + OTHERS * loss[:, 1:].mean(1) + SCORE * score + 0.05 * there
    return Judged(total.mean(), overlaps)


def affinities(logits: Tensor, objects: Tensor) -> Tensor:
    """Whether cells some steps apart are of one object: logits (I, 8, H, W), objects (I, H, W)."""
    rows, cols = objects.shape[1:]
    total = logits.new_zeros(())
    for channel, (down, along) in enumerate(OFFSETS):
        left, right = max(0, -along), cols - max(0, along)
        here = (slice(None), slice(0, rows - down), slice(left, right))
        there = (slice(None), slice(down, rows), slice(left + along, right + along))
        same = (objects[here] == objects[there]).float()
        counts = ((objects[here] > 0) | (objects[there] > 0)).float()
        entropy = functional.binary_cross_entropy_with_logits(logits[:, channel][here], same, reduction="none")
        for kind in (same * counts, (1 - same) * counts):
            total = total + 0.5 * (entropy * kind).sum() / (kind.sum() + 1)
    return total / len(OFFSETS)


def clicked(logits: Tensor, objects: Tensor, clicks: Tensor) -> Tensor:
    """The masks of clicks (I, K, 2), in cells, against the objects (I, H, W) they lie on; logits (I, K, H, W)."""
    images = torch.arange(len(objects))[:, None]
    wanted = objects[images, clicks[..., 1], clicks[..., 0]]
    truth = (objects[:, None] == wanted[..., None, None]).float().flatten(0, 1)
    asked = logits.flatten(0, 1)
    return (balanced(asked, truth) + dice(asked, truth)).mean()
