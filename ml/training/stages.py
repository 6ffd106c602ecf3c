"""The stages: features that hold objects together, a decoder that follows the click, both at growing resolution."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ml.quality.clicks import next_click
from ml.training import losses, network, samples

Report = dict[str, float]
# Tokens a side, squares around them, prompts: of a crop of 1024 px and of one of 512.
PARTS = ((8, 8, 32), (8, 4, 24), (16, 8, 16), (16, 4, 12), (32, 8, 6))
HALVES = ((8, 4, 32), (16, 4, 12), (32, 0, 6))
ALL_SIZES = ((8, 8, 24), (16, 8, 16), (32, 8, 6), (64, 0, 5))
ONE_ROUND = 0.3  # of a stage: so long each prompt is asked once only
BOXES = 0.5  # of the prompts: they are learned later than clicks
HINTS = 2  # what a token of the image tells of a prompt: how much of it is the object's, whether it lies in the box
RENEWED = 4  # steps until one of the crops that are kept is replaced
TRIES = 100  # to find a part of crops with objects that are large enough
GLIMPSES = 24  # a crop
FED_BACK = 0.3  # of lone clicks: the mask of the best score is corrected, of the others the single one
MIDDLE = 0.5  # of corrections: in the middle of what is wrong, as people click; the others lie anywhere in it


@dataclass(frozen=True)
class Stage:
    """Crops of `size` px, `images` a step, in each the `fields`; which parts learn, and how fast.

    A prompt is corrected by up to `rounds` - 1 clicks: a model that has seen two of them goes astray with the fourth.
    Decoding parts of a large crop, as a click does, teaches more prompts a second on features that have seen it all.
    """

    name: str
    size: int
    images: int
    fields: tuple[tuple[int, int, int], ...]  # (tokens a side, squares around it, prompts): all decoded in each step
    rounds: int
    rate: float
    encoder_rate: float  # of the rate; 0: the encoder stays as it is
    zoom: tuple[float, float]
    even: tuple[float, float]  # the balanced share of the loss, from begin to end
    hold: float = 0.0  # of the loss of `glimpse` at the prompts, which keeps features holding objects together
    dense: float = 0.0  # of the loss of the stage `features`, which every pixel of a crop teaches
    hints: float = 0.0  # of the loss of what the image's tokens know of a prompt after each layer of the decoder
    keep: int = 0  # crops whose features are kept, where the encoder stays as it is: each field is of one of them
    plain: float = 0.0  # of the crops: seen as they were made

    def __post_init__(self) -> None:
        if self.hold > 0 and any(side * network.STRIDE != self.size for side, _, _ in self.fields):
            raise ValueError("a glimpse is of the whole crop: hold belongs to fields of the crop's size")

    @property
    def decodes(self) -> bool:
        """Whether the decoder takes part."""
        return self.rounds > 0


# A prompt costs about as many tokens as it is shown: fields of 128 px teach three times as many a second as of 256 px.
STAGES = {
    one.name: one
    for one in (
        Stage("features", 256, 6, (), 0, 1e-3, 1.0, (0.6, 2.2), (1.0, 1.0)),
        Stage("clicks", 128, 6, ((8, 0, 16),), 2, 5e-4, 1.0, (0.6, 2.6), (1.0, 0.5), hold=0.5, hints=0.3),
        Stage("decoder", 256, 3, ((16, 0, 12),), 3, 5e-4, 0.6, (0.6, 2.2), (0.7, 0.3), hold=0.3, hints=0.3),
        Stage("prompts", 1024, 1, PARTS, 4, 6e-4, 0.0, (0.7, 1.0), (0.0, 0.0), hints=1.0, keep=32, plain=0.3),
        Stage("together", 512, 1, HALVES, 5, 5e-4, 1.0, (0.7, 1.4), (0.0, 0.0), hints=0.3, dense=0.5, plain=0.3),
        Stage("finish", 1024, 1, ALL_SIZES, 5, 3e-4, 0.5, (0.8, 1.0), (0.0, 0.0), hints=0.1, plain=0.5),
    )
}


@dataclass(frozen=True, eq=False)
class _Batch:
    """Crops whose features are known: `features` in which gradients gather, and numbered objects (I, R, R).

    Where the encoder learns, `encoded` are the same features as it gave them.
    """

    features: network.Features
    objects: list[samples.Ids]
    encoded: network.Features | None


class Learner:
    """A model with what only its training needs, and the steps of each stage."""

    def __init__(self, model: Any, pool: samples.Crops, random: np.random.Generator) -> None:
        self.model, self.pool, self.random = model, pool, random
        self.affinity = nn.Conv2d(32, len(losses.OFFSETS), 1)
        layers = model.sam_mask_decoder.transformer.layers
        self.hints = nn.ModuleList(nn.Linear(layer.norm4.normalized_shape[0], HINTS) for layer in layers)
        self._known: list[Tensor] = []  # the image's tokens (B, T, 256) after each layer of the last decodings
        for layer in layers:
            layer.norm4.register_forward_hook(lambda norm, given, found: self._known.append(found))
        self._kept: list[_Batch] = []

    def named_parameters(self) -> list[tuple[str, nn.Parameter]]:
        """All that learns: not the memory, which needs series of dates."""
        learns = ("image_encoder.", "sam_mask_decoder.", "sam_prompt_encoder.", "no_mem_embed")
        own = [(name, one) for name, one in self.model.named_parameters() if name.startswith(learns)]
        aids = (("affinity", self.affinity), ("hints", self.hints))
        return own + [(f"{aid}.{name}", one) for aid, module in aids for name, one in module.named_parameters()]

    def step(self, stage: Stage, number: int, progress: float) -> Report:
        """Adds the gradient of a step by its number; `progress` 0..1 of the stage.

        All processes go through as many rounds of a step, since they wait for each other.
        """
        if not stage.decodes:
            return self._features(stage)
        learns = stage.encoder_rate > 0
        batch = self._encoded(stage) if learns else None
        if not learns and (len(self._kept) < stage.keep or number % RENEWED == 0):
            self._kept = [*self._kept, self._encoded(stage)][-stage.keep :]
        said: dict[str, list[float]] = {}
        if batch is not None and stage.dense > 0:
            mask, edge, found = self._dense(batch.features, batch.objects)
            (stage.dense * (mask + edge)).backward()
            said = {"mask": [float(mask.detach())], "edge": [float(edge.detach())], "iou": [found]}
        for index, field in enumerate(stage.fields):
            rounds = 1 + (number + index) % stage.rounds if progress > ONE_ROUND else 1
            seen = batch or self._kept[int(self.random.integers(len(self._kept)))]
            asked = self._asked(stage, seen, *field)
            if asked is None:
                continue
            loss, report = self._decoder(stage, seen, asked, (rounds, progress))
            (loss / len(stage.fields)).backward()
            for name, value in report.items():
                said.setdefault(name, []).append(value)
        if batch is not None and batch.encoded is not None:
            taught = [
                (one, leaf.grad)
                for one, leaf in zip(batch.encoded, batch.features, strict=True)
                if leaf.grad is not None
            ]
            if taught:
                torch.autograd.backward([one for one, _ in taught], [gradient for _, gradient in taught])
        return {name: float(np.mean(values)) for name, values in said.items()}

    def _crops(self, stage: Stage) -> tuple[Tensor, list[samples.Ids]]:
        """Pixels (I, 3, R, R) and objects (R, R) of I crops."""
        pixels: list[npt.NDArray[np.float32]] = []
        objects: list[samples.Ids] = []
        while len(pixels) < stage.images:
            image, ids = self.pool.crop(self.random, stage.size, stage.zoom)
            if not ids[2::4, 2::4].any():
                continue
            if self.random.random() >= stage.plain:
                image = samples.seen(image, self.random)
            pixels.append(samples.normalised(image))
            objects.append(ids)
        return torch.from_numpy(np.stack(pixels)), objects

    def _encoded(self, stage: Stage) -> _Batch:
        """New crops and their features."""
        learns = stage.encoder_rate > 0
        pixels, objects = self._crops(stage)
        with network.precision(), torch.set_grad_enabled(learns):
            encoded = network.encode(self.model, pixels)
        first, second, third = (one.detach().requires_grad_(learns) for one in encoded)
        return _Batch((first, second, third), objects, encoded if learns else None)

    def _features(self, stage: Stage) -> Report:
        pixels, objects = self._crops(stage)
        with network.precision():
            features = network.encode(self.model, pixels)
        mask, edge, found = self._dense(features, objects)
        (mask + edge).backward()
        return {"mask": float(mask.detach()), "edge": float(edge.detach()), "iou": found}

    def _dense(self, features: network.Features, numbered: list[samples.Ids]) -> tuple[Tensor, Tensor, float]:
        """The losses of glimpses at clicks anywhere and of what holds together, and the glimpses' mean IoU."""
        objects = torch.from_numpy(np.stack([one[2::4, 2::4].astype(np.int64) for one in numbered]))
        places = torch.multinomial((objects > 0).flatten(1).float(), GLIMPSES, replacement=True)
        cells = torch.stack([places % objects.shape[2], places // objects.shape[2]], -1)
        with network.precision():
            logits, upscaled = network.glimpse(self.model, features, (cells + 0.5) * samples.CELL)
            near = self.affinity(upscaled)
        mask = losses.clicked(logits, objects, cells)
        edge = losses.affinities(near.float(), objects)
        with torch.no_grad():
            images = torch.arange(len(objects))[:, None]
            wanted = objects[images, cells[..., 1], cells[..., 0]]
            truth = (objects[:, None] == wanted[..., None, None]).flatten(0, 1)
            found = losses.overlap(logits.flatten(0, 1)[:, None], truth).mean()
        return mask, edge, float(found)

    def _decoder(
        self, stage: Stage, batch: _Batch, given: tuple[network.View, list[samples.Prompts]], when: tuple[int, float]
    ) -> tuple[Tensor, Report]:
        """The loss of what is asked in a part of the crops, in so many rounds at some progress."""
        (view, prompts), (rounds, progress) = given, when
        free = (network.FIELD - stage.size) // network.STRIDE
        col, row = (int(n) for n in self.random.integers(0, free + 1, 2))
        place = network.positions(
            self.model, stage.size // network.STRIDE, (float(network.STRIDE * col), float(network.STRIDE * row))
        )
        offset = (float(network.STRIDE * (col + view.col)), float(network.STRIDE * (row + view.row)))
        truth = torch.from_numpy(np.concatenate([one.masks for one in prompts])).float()
        points = torch.from_numpy(np.concatenate([one.points for one in prompts])) + torch.tensor(offset)
        asked = network.Asked(points, torch.from_numpy(np.concatenate([one.labels for one in prompts])))
        first = asked
        even = stage.even[0] + (stage.even[1] - stage.even[0]) * progress
        said: Report = {}
        total = torch.zeros(())
        if stage.hold > 0:
            total = total + stage.hold * self._held(batch.features, prompts)
        for number in range(rounds):
            learns = number in (0, rounds - 1)  # those between only lead to where the last one starts from
            self._known.clear()
            with network.precision(), torch.set_grad_enabled(learns):
                masks, scores, present = network.decode(self.model, batch.features, place, asked, view)
            judged = losses.judge(masks, scores, present, truth, even)
            weight = 1.0 if number == 0 else 0.6
            if learns:
                total = total + weight * judged.loss
            if learns and stage.hints > 0:
                total = total + weight * stage.hints * self._hinted(first, truth, offset)
            said |= _measures(judged.overlaps, scores, asked.labels, number)
            if number + 1 < rounds:
                asked = _corrected(self._chosen(masks, scores, asked.labels), truth, asked, offset, self.random)
        return total, said | {"loss": float(total.detach())}

    def _asked(
        self, stage: Stage, batch: _Batch, side: int, far: int, count: int
    ) -> tuple[network.View, list[samples.Prompts]] | None:
        """A part of the crops, somewhere, that has objects in each, and prompts on them; None where none is found."""
        free = stage.size // network.STRIDE - side
        for _ in range(TRIES):
            each = far or 1
            col, row = (each * int(n) for n in self.random.integers(0, free // each + 1, 2))
            view = network.View(col, row, side, far)
            where = view.span(network.STRIDE)
            found = [samples.prompts_on(ids[where], count, self.random, boxes=BOXES) for ids in batch.objects]
            prompts = [one for one in found if one is not None]
            if len(prompts) == len(found):
                return view, prompts
        return None

    def _hinted(self, asked: network.Asked, truth: Tensor, offset: tuple[float, ...]) -> Tensor:
        """The loss of what the image's tokens tell, after each layer, of what was first asked for."""
        inside = nn.functional.avg_pool2d(truth[:, None], network.STRIDE // samples.CELL)[:, 0]
        side = inside.shape[-1]
        boxed = asked.labels[:, 0] == 2
        low, high = ((asked.points[:, corner] - torch.tensor(offset))[:, :, None] for corner in (0, 1))
        middles = (torch.arange(side) + 0.5) * network.STRIDE
        along = (middles > low) & (middles < high)  # (B, 2, side): x, y
        within = (along[:, 1, :, None] & along[:, 0, None, :]).float()
        total = truth.new_zeros(())
        layers = len(self.hints)
        for number, hint in enumerate(self.hints):
            known = torch.cat(self._known[number::layers])
            told = hint(known[:, : side * side]).float().view(*inside.shape, HINTS)
            total = total + losses.balanced(told[..., 0], inside).mean()
            if bool(boxed.any()):
                total = total + losses.balanced(told[boxed][..., 1], within[boxed]).mean() * boxed.float().mean()
        return total

    def _chosen(self, masks: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        """(B, h, w): the single one, as Edgewise offers it first; after a lone click now and then the best-scored of
        the three, as SAM's predictor takes it."""
        lone = ((labels >= 0).sum(1) == 1) & (labels[:, 0] == 1)
        other = lone & torch.from_numpy(self.random.random(len(lone)) < FED_BACK)
        index = torch.where(other, 1 + scores[:, 1:].argmax(1), 0)
        return masks[torch.arange(len(masks)), index]

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


@torch.no_grad()
def _corrected(
    chosen: Tensor, truth: Tensor, asked: network.Asked, offset: tuple[float, ...], random: np.random.Generator
) -> network.Asked:
    """One more click each, in the middle of what is wrong or somewhere in it, and the mask fed back as SAM's predictor
    does."""
    found, there = chosen > 0, truth > 0
    missing, wrong = (there & ~found).flatten(1).float(), (found & ~there).flatten(1).float()
    errors = missing + wrong
    perfect = errors.sum(1) == 0
    errors[perfect] = there.flatten(1).float()[perfect]
    at = torch.multinomial(errors, 1)[:, 0]
    is_negative = wrong.gather(1, at[:, None])[:, 0] > 0
    width = truth.shape[-1]
    cell = torch.stack([at % width, at // width], 1).float()
    place = (cell + torch.rand(len(at), 2)) * samples.CELL
    for index in np.flatnonzero(random.random(len(at)) < MIDDLE):
        click = next_click(found[index].numpy(), there[index].numpy())
        if click is not None:
            place[index] = samples.CELL * torch.tensor(click[0])
            is_negative[index] = click[1] == 0
    points = torch.cat([asked.points, (place + torch.tensor(offset))[:, None]], 1)
    labels = torch.cat([asked.labels, (~is_negative).float()[:, None]], 1)
    return network.Asked(points, labels, chosen[:, None].clamp(-32, 32))
