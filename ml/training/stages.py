"""The stages: features that hold objects together, a decoder that follows the click, both at growing resolution."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ml.training import losses, network, samples

Report = dict[str, float]
ONE_ROUND = 0.3  # of a stage: so long each prompt is asked once only
MOST_PROMPTS = 4  # times those of the whole crop, in a part of it
BOXES = 0.5  # of the prompts: they are learned later than clicks


@dataclass(frozen=True)
class Stage:
    """Crops of `size` px, `images` a step and `prompts` on each; which parts learn, and how fast.

    A prompt is corrected by up to `rounds` - 1 clicks: a model that has seen two of them goes astray with the fourth.
    Decoding a part of a large crop, as a click does, teaches more prompts a second on features that have seen it all.
    """

    name: str
    size: int
    images: int
    prompts: int
    rounds: int
    rate: float
    encoder_rate: float  # of the rate
    zoom: tuple[float, float]
    even: tuple[float, float]  # the balanced share of the loss, from begin to end
    hold: float = 0.0  # of the loss of `glimpse`, which keeps features holding objects together
    fields: tuple[int, ...] = ()  # tokens a side that are decoded, one of these each step; none: all

    @property
    def decodes(self) -> bool:
        """Whether the decoder takes part."""
        return self.rounds > 0


# A prompt costs as many tokens as its crop has: crops of 128 px teach 2.5 times as many a second as those of 256 px.
STAGES = {
    "features": Stage("features", 256, 6, 24, 0, 1e-3, 1.0, (0.6, 2.2), (1.0, 1.0)),
    "clicks": Stage("clicks", 128, 6, 16, 2, 5e-4, 1.0, (0.6, 2.6), (1.0, 0.5), 0.5),
    "decoder": Stage("decoder", 256, 3, 12, 3, 5e-4, 0.6, (0.6, 2.2), (0.7, 0.3), 0.3),
    "together": Stage("together", 512, 1, 10, 5, 3e-4, 0.5, (0.6, 1.6), (0.3, 0.0), 0.0, (16, 32)),
    "finish": Stage("finish", 1024, 1, 6, 6, 1e-4, 0.5, (0.8, 1.0), (0.0, 0.0), 0.0, (16, 32, 64)),
}


@dataclass(frozen=True)
class _Part:
    """A square of tokens of a crop that is decoded, and how many prompts are asked in it."""

    col: int
    row: int
    side: int
    prompts: int

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return _span(self.row, self.side, network.STRIDE), _span(self.col, self.side, network.STRIDE)

    def of(self, features: network.Features) -> network.Features:
        """What of features of strides 16, 4 and 8 lies in it."""
        embedding, fine, middle = (
            one[..., _span(self.row, self.side, cells), _span(self.col, self.side, cells)]
            for one, cells in zip(features, (1, 4, 2), strict=True)
        )
        return embedding, fine, middle


def _span(start: int, length: int, each: int) -> slice:
    return slice(start * each, (start + length) * each)


class Learner:
    """A model with what only its training needs, and the steps of each stage."""

    def __init__(self, model: Any, pool: samples.Crops, random: np.random.Generator) -> None:
        self.model, self.pool, self.random = model, pool, random
        self.affinity = nn.Conv2d(32, len(losses.OFFSETS), 1)

    def named_parameters(self) -> list[tuple[str, nn.Parameter]]:
        """All that learns: not the memory, which needs series of dates."""
        learns = ("image_encoder.", "sam_mask_decoder.", "sam_prompt_encoder.", "no_mem_embed")
        own = [(name, one) for name, one in self.model.named_parameters() if name.startswith(learns)]
        return own + [(f"affinity.{name}", one) for name, one in self.affinity.named_parameters()]

    def step(self, stage: Stage, number: int, progress: float) -> tuple[Tensor, Report]:
        """The loss of a step by its number, its gradient not yet taken; `progress` 0..1 of the stage.

        All processes go through as many rounds of a step, since they wait for each other.
        """
        if not stage.decodes:
            return self._features(stage)
        return self._decoder(stage, 1 + number % stage.rounds if progress > ONE_ROUND else 1, progress)

    def _batch(
        self, stage: Stage, boxes: float, part: "_Part | None" = None
    ) -> tuple[Tensor, Tensor, list[samples.Prompts]]:
        """Pixels (I, 3, R, R), objects (I, R/4, R/4), and prompts on each, in a part of it where one is named."""
        where = part.pixels if part else (slice(None), slice(None))
        pixels: list[npt.NDArray[np.float32]] = []
        objects: list[npt.NDArray[np.int64]] = []
        prompts: list[samples.Prompts] = []
        while len(pixels) < stage.images:
            image, ids = self.pool.crop(self.random, stage.size, stage.zoom)
            asked = samples.prompts_on(ids[where], part.prompts if part else stage.prompts, self.random, boxes=boxes)
            if asked is None:
                continue
            pixels.append(samples.normalised(samples.seen(image, self.random)))
            objects.append(ids[2::4, 2::4].astype(np.int64))
            prompts.append(asked)
        return torch.from_numpy(np.stack(pixels)), torch.from_numpy(np.stack(objects)), prompts

    def _features(self, stage: Stage) -> tuple[Tensor, Report]:
        pixels, objects, prompts = self._batch(stage, boxes=0.0)
        clicks = torch.from_numpy(np.stack([one.points[:, 0] for one in prompts]))
        with network.precision():
            features = network.encode(self.model, pixels)
            logits, upscaled = network.glimpse(self.model, features, clicks)
            near = self.affinity(upscaled)
        cells = (clicks / samples.CELL).long()
        mask = losses.clicked(logits, objects, cells)
        edge = losses.affinities(near.float(), objects)
        with torch.no_grad():
            images = torch.arange(len(objects))[:, None]
            wanted = objects[images, cells[..., 1], cells[..., 0]]
            truth = (objects[:, None] == wanted[..., None, None]).flatten(0, 1)
            found = losses.overlap(logits.flatten(0, 1)[:, None], truth).mean()
        return mask + edge, {"mask": float(mask.detach()), "edge": float(edge.detach()), "iou": float(found)}

    def _decoder(self, stage: Stage, rounds: int, progress: float) -> tuple[Tensor, Report]:
        part = self._part(stage)
        pixels, _, prompts = self._batch(stage, BOXES, part)
        free = (network.FIELD - stage.size) // network.STRIDE
        col, row = (int(n) for n in self.random.integers(0, free + 1, 2))
        offset = (float(network.STRIDE * (col + part.col)), float(network.STRIDE * (row + part.row)))
        place = network.positions(self.model, part.side, offset)
        truth = torch.from_numpy(np.concatenate([one.masks for one in prompts])).float()
        points = torch.from_numpy(np.concatenate([one.points for one in prompts])) + torch.tensor(offset)
        asked = network.Asked(points, torch.from_numpy(np.concatenate([one.labels for one in prompts])))
        even = stage.even[0] + (stage.even[1] - stage.even[0]) * progress
        with network.precision():
            features = part.of(network.encode(self.model, pixels))
        said: Report = {}
        total = torch.zeros(())
        if stage.hold > 0:
            total = total + stage.hold * self._held(features, prompts)
        for number in range(rounds):
            learns = number in (0, rounds - 1)  # those between only lead to where the last one starts from
            with network.precision(), torch.set_grad_enabled(learns):
                masks, scores, present = network.decode(self.model, features, place, asked)
            judged = losses.judge(masks, scores, present, truth, even)
            weight = 1.0 if number == 0 else 0.6
            if learns:
                total = total + weight * judged.loss
            said |= _measures(judged.overlaps, scores, asked.labels, number)
            if number + 1 < rounds:
                asked = _corrected(_chosen(masks, scores, asked.labels), truth, asked, offset)
        return total, said | {"loss": float(total.detach())}

    def _part(self, stage: Stage) -> "_Part":
        whole = stage.size // network.STRIDE
        side = int(self.random.choice(stage.fields)) if stage.fields else whole
        col, row = (int(n) for n in self.random.integers(0, whole - side + 1, 2))
        return _Part(col, row, side, stage.prompts * min(MOST_PROMPTS, (whole // side) ** 2))

    def _held(self, features: network.Features, prompts: list[samples.Prompts]) -> Tensor:
        """The loss of what a glimpse at each click finds; boxes do not count."""
        clicks = torch.from_numpy(np.stack([one.points[:, 0] for one in prompts]))
        truth = torch.from_numpy(np.stack([one.masks for one in prompts])).float()
        clicked = torch.from_numpy(np.stack([one.labels[:, 0] == 1 for one in prompts]))
        with network.precision():
            logits, _ = network.glimpse(self.model, features, clicks)
        asked, wanted = logits[clicked], truth[clicked]
        return (losses.balanced(asked, wanted) + losses.dice(asked, wanted)).sum() / max(1, len(wanted))


def _measures(overlaps: Tensor, scores: Tensor, labels: Tensor, number: int) -> Report:
    """Mean IoU of the single output, and of the best and the chosen of the three, by kind of prompt."""
    if number > 0:
        return {f"iou_round{number + 1}": float(overlaps[:, 0].mean())}
    boxed = labels[:, 0] == 2
    said = {}
    if bool((~boxed).any()):
        clicks = overlaps[~boxed]
        chosen = clicks.gather(1, 1 + scores[~boxed][:, 1:].argmax(1, keepdim=True))
        said = {
            "iou_click": float(clicks[:, 0].mean()),
            "iou_best": float(clicks[:, 1:].max(1).values.mean()),
            "iou_chosen": float(chosen.mean()),
        }
    if bool(boxed.any()):
        said["iou_box"] = float(overlaps[boxed, 0].mean())
    return said


def _chosen(masks: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    """(B, h, w): after a lone click the best-scored of the three, as SAM's predictor takes it; else the single one."""
    lone = (labels >= 0).sum(1) == 1
    index = torch.where(lone & (labels[:, 0] == 1), 1 + scores[:, 1:].argmax(1), 0)
    return masks[torch.arange(len(masks)), index]


@torch.no_grad()
def _corrected(chosen: Tensor, truth: Tensor, asked: network.Asked, offset: tuple[float, ...]) -> network.Asked:
    """One more click each, somewhere in what is wrong, and the mask fed back as SAM's predictor does."""
    found, there = chosen > 0, truth > 0
    missing, wrong = (there & ~found).flatten(1).float(), (found & ~there).flatten(1).float()
    errors = missing + wrong
    perfect = errors.sum(1) == 0
    errors[perfect] = there.flatten(1).float()[perfect]
    at = torch.multinomial(errors, 1)[:, 0]
    is_negative = wrong.gather(1, at[:, None])[:, 0] > 0
    width = truth.shape[-1]
    cell = torch.stack([at % width, at // width], 1).float()
    place = (cell + torch.rand(len(at), 2)) * samples.CELL + torch.tensor(offset)
    points = torch.cat([asked.points, place[:, None]], 1)
    labels = torch.cat([asked.labels, (~is_negative).float()[:, None]], 1)
    return network.Asked(points, labels, chosen[:, None].clamp(-32, 32))
