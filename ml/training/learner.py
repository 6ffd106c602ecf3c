"""What learns, and the steps of each stage."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ml.quality.clicks import next_click
from ml.training import bare, losses, network, samples
from ml.training.stages import Stage

Report = dict[str, float]
TWICE = 4  # in every so many steps a pair is asked once more, with a mask fed back: that costs twice as much
ONE_ROUND = 0.3  # of a stage: so long each prompt is asked once only
BOXES = 0.5  # of the prompts: they are learned later than clicks
HINTS = 2  # what a token of the image tells of a prompt: how much of it is the object's, whether it lies in the box
RENEWED = 4  # steps until one of the crops that are kept is replaced
TRIES = 100  # to find a part of crops with objects that are large enough
GLIMPSES = 24  # a crop
FED_BACK = 0.3  # of lone clicks: the mask of the best score is corrected, of the others the single one
MIDDLE = 0.5  # of corrections: in the middle of what is wrong, as people click; the others lie anywhere in it
GUESSES = 4  # clicks on a picture without labels


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

    def __init__(
        self, model: Any, pool: samples.Crops, random: np.random.Generator, bare_pool: samples.Crops | None = None
    ) -> None:
        self.model, self.pool, self.random, self.bare_pool = model, pool, random, bare_pool
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
        each = max(1, len(stage.fields))  # a stage may have nothing but a pair
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
            (loss / each).backward()
            for name, value in report.items():
                said.setdefault(name, []).append(value)
        if stage.pair is not None:
            seen = batch or self._kept[int(self.random.integers(len(self._kept)))]
            asked = self._asked(stage, seen, *stage.pair, whole=True)
            if asked is not None:
                loss, report = self._paired(stage, seen, asked, 1 + (number % TWICE == 0))
                (loss / each).backward()
                said |= {name: [value] for name, value in report.items()}
            if stage.bare > 0 and self.bare_pool is not None:
                guessed = self._guessed(stage, self.bare_pool, *stage.pair[:2], GUESSES)
                if guessed is not None:
                    loss, report = self._paired(stage, guessed[0], guessed[1:], 1)
                    (stage.bare * loss / each).backward()
                    said |= {f"{name}_bare": [value] for name, value in report.items()}
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
        place, offset = self._place(stage, view)
        truth, asked = _together(prompts, offset)
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

    def _paired(
        self, stage: Stage, batch: _Batch, given: tuple[network.View, list[samples.Prompts]], rounds: int
    ) -> tuple[Tensor, Report]:
        """The loss of what is asked, with a part in view, of the part and of the whole crops, which should agree."""
        view, prompts = given
        whole = network.View(0, 0, stage.size // network.STRIDE)
        place, offset = self._place(stage, whole)
        shown = (..., *view.span(network.STRIDE // samples.CELL))
        truth, asked = _together(prompts, offset)
        begin = (offset[0] + network.STRIDE * view.col, offset[1] + network.STRIDE * view.row)
        previous: Tensor | None = None
        total = torch.zeros(())
        for _ in range(rounds):
            again = network.Asked(asked.points, asked.labels, previous)
            with network.precision():
                near, near_scores, near_present = network.decode(self.model, batch.features, place, asked, view)
                far, far_scores, far_present = network.decode(self.model, batch.features, place, again)
            self._known.clear()
            total = total + losses.judge(near, near_scores, near_present, truth[shown], 0.0).loss
            total = total + losses.judge(far, far_scores, far_present, truth, 0.0).loss
            apart = losses.alike(near, far[shown])
            total = total + stage.alike * (apart[:, 0].mean() + apart[:, 1:].mean())
            agreed = losses.overlap(near.detach()[:, :1], (far.detach()[:, 0][shown] > 0).float())
            previous = far.detach()[:, :1].clamp(-32, 32)
            asked = _corrected(near[:, 0].detach(), truth[shown], asked, begin, self.random)
        return total, {
            "iou_whole": float(losses.overlap(far.detach(), truth)[:, 0].mean()),
            "agreed": float(agreed.mean()),
        }

    @torch.no_grad()
    def _guessed(
        self, stage: Stage, pool: samples.Crops, side: int, far: int, count: int
    ) -> tuple[_Batch, network.View, list[samples.Prompts]] | None:
        """A crop without labels, a part of it, and clicks there with what the model sees of them in the whole crop."""
        image, ids = pool.crop(self.random, stage.size, stage.zoom)
        if self.random.random() >= stage.plain:
            image = samples.seen(image, self.random)
        features = network.encode(self.model, torch.from_numpy(samples.normalised(image))[None])
        free = (stage.size // network.STRIDE - side) // far
        col, row = (far * int(n) for n in self.random.integers(0, free + 1, 2))
        view = network.View(col, row, side, far)
        low = network.STRIDE * np.array([col, row])
        clicks = (low + self.random.uniform(8, network.STRIDE * side - 8, (count, 2))).astype(np.float32)
        points = np.stack([clicks, np.zeros_like(clicks)], 1)
        labels = np.tile(np.array([1, -1], np.float32), (count, 1))
        place = network.positions(self.model, stage.size // network.STRIDE, (0.0, 0.0))
        asked = network.Asked(torch.from_numpy(points), torch.from_numpy(labels))
        logits = network.decode(self.model, features, place, asked)[0][:, 0].numpy()
        masks = [bare.cleaned(*one) for one in zip(logits, clicks, strict=True)]
        kept = [number for number, mask in enumerate(masks) if mask is not None]
        if not kept:
            return None
        found = np.stack([mask for mask in masks if mask is not None])
        return _Batch(features, [ids], None), view, [samples.Prompts(found, points[kept], labels[kept])]

    def _place(self, stage: Stage, view: network.View) -> tuple[Tensor, tuple[float, float]]:
        """The positional encoding of crops laid somewhere in the frame, and where their part begins (x, y), px."""
        free = (network.FIELD - stage.size) // network.STRIDE
        col, row = (int(n) for n in self.random.integers(0, free + 1, 2))
        place = network.positions(
            self.model, stage.size // network.STRIDE, (float(network.STRIDE * col), float(network.STRIDE * row))
        )
        return place, (float(network.STRIDE * (col + view.col)), float(network.STRIDE * (row + view.row)))

    def _asked(
        self, stage: Stage, batch: _Batch, side: int, far: int, count: int, *, whole: bool = False
    ) -> tuple[network.View, list[samples.Prompts]] | None:
        """A part of the crops, somewhere, that has objects in each, and prompts on them; None where none is found.

        With `whole` masks and places are those of the whole crops.
        """
        free = stage.size // network.STRIDE - side
        for _ in range(TRIES):
            each = far or 1
            col, row = (each * int(n) for n in self.random.integers(0, free // each + 1, 2))
            view = network.View(col, row, side, far)
            where = view.span(network.STRIDE)
            found = [
                samples.prompts_on(ids, count, self.random, boxes=BOXES, within=where)
                if whole
                else samples.prompts_on(ids[where], count, self.random, boxes=BOXES)
                for ids in batch.objects
            ]
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


def _together(prompts: list[samples.Prompts], offset: tuple[float, float]) -> tuple[Tensor, network.Asked]:
    """The masks (B, h, w) that are wanted of all crops, and what is asked, `offset` px (x, y) on in the frame."""
    truth = torch.from_numpy(np.concatenate([one.masks for one in prompts])).float()
    points = torch.from_numpy(np.concatenate([one.points for one in prompts])) + torch.tensor(offset)
    return truth, network.Asked(points, torch.from_numpy(np.concatenate([one.labels for one in prompts])))


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
