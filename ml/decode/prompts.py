"""What is asked of the decoder, and in which order its answers are offered."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.models.installed import CandidateRule

MAX_POINTS = 100
STABILITY_DELTA = 0.05  # sam2.1_hiera_*.yaml: dynamic_multimask_stability_delta
STABILITY_THRESHOLD = 0.98  # sam2.1_hiera_*.yaml: dynamic_multimask_stability_thresh
STABILITY_OFFSET = 1.0  # sam2: automatic_mask_generator.py, stability_score_offset
PADDING, BACKGROUND, FOREGROUND, BOX_LOW, BOX_HIGH = -1.0, 0.0, 1.0, 2.0, 3.0


class PromptError(ValueError):
    """A set of prompts that means nothing."""


@dataclass(frozen=True, eq=False)
class PromptSet:
    """All prompts of one suggestion in the model's frame (0..1024, edge convention).

    `points` (N, 2) with `labels` (N,) 1 for this, 0 for not this; `box` (x_min, y_min, x_max, y_max) or None.
    """

    points: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    box: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1:] != (2,) or len(self.points) != len(self.labels):
            raise PromptError("points are (N, 2) with one label each")
        if len(self.points) > MAX_POINTS:
            raise PromptError(f"at most {MAX_POINTS} points")
        if len(self.points) == 0 and self.box is None:
            raise PromptError("no point and no box")
        if not np.isfinite(self.points).all() or not set(self.labels.tolist()) <= {0, 1}:
            raise PromptError("points are finite and labels are 1 or 0")
        if self.box is not None and not _has_inside(self.box):
            raise PromptError("a box goes from its least to its greatest corner")

    def tokens(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Coordinates (1, N, 2) and labels (1, N) as SAM takes them: box corners first, then the points.

        SAM counts pixel indices and adds a half itself (prompt_encoder.py, `_embed_points`); the edge convention
        has the half already, so it is taken off here.
        """
        coordinates, labels = self.points, self.labels.astype(np.float32)
        if self.box is not None:
            corners = np.asarray(self.box, np.float64).reshape(2, 2)
            coordinates = np.concatenate([corners, coordinates])
            labels = np.concatenate([np.array([BOX_LOW, BOX_HIGH], np.float32), labels])
        return (coordinates - 0.5).astype(np.float32)[None], labels[None]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One mask: logits (256, 256) over the window, the model's predicted IoU, and which output it is."""

    logits: npt.NDArray[np.float32]
    score: float
    index: int


def rank_candidates(
    masks: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], rule: CandidateRule, prompts: PromptSet
) -> tuple[Candidate, ...]:
    """At most three of the four masks (4, 256, 256), best first, by the model's rule."""
    by_score = sorted((1, 2, 3), key=lambda index: -float(scores[index]))
    if rule is CandidateRule.SINGLE_FIRST or (_specific(prompts) and is_stable(masks[0])):
        order = [0, *by_score[:2]]
    else:
        order = by_score
    return tuple(Candidate(masks[index], float(np.clip(scores[index], 0, 1)), index) for index in order)


def offered(rule: CandidateRule, prompts: PromptSet) -> npt.NDArray[np.float32]:
    """Which masks `rank_candidates` may offer (4,), and whether it leaves out the worst of the last three for sure."""
    first = rule is CandidateRule.SINGLE_FIRST
    return np.array([first or _specific(prompts), 1, 1, 1, first], np.float32)


def is_stable(logits: npt.NDArray[np.float32]) -> bool:
    """Whether the single mask hardly depends on the threshold, and so stands for several points."""
    return stability(logits, STABILITY_DELTA) >= STABILITY_THRESHOLD


def stability(logits: npt.NDArray[np.float32], offset: float = STABILITY_OFFSET) -> float:
    """Area above +offset over area above -offset, 1 where nothing is above: SAM's stability score.

    `sam2`: mask_decoder.py, `_get_stability_scores`, and utils/amg.py, `calculate_stability_score`.
    """
    union = np.count_nonzero(logits > -offset)
    return np.count_nonzero(logits > offset) / union if union else 1.0


def _has_inside(box: tuple[float, float, float, float]) -> bool:
    x_min, y_min, x_max, y_max = box
    return all(map(math.isfinite, box)) and x_min < x_max and y_min < y_max


def _specific(prompts: PromptSet) -> bool:
    """Whether the prompts leave little room for several meanings: a box, or more than one point."""
    return prompts.box is not None or len(prompts.points) > 1
