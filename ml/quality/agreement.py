"""Whether a model may be decoded in parts and in eight bits: how far its masks stay those of whole windows."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ml.decode import SIDES, WHOLE, Asked, OnnxDecoder, Parts, PromptSet, Seen, decode_nearby
from ml.decode.look import GRID
from ml.embeddings.features import Embedding
from ml.encode import Encoder
from ml.models.installed import FP32, INT8, MANIFEST, InstalledModel
from ml.quality.clicks import next_click
from ml.quality.measures import clicks_needed, iou
from ml.quality.pictures import Mask, Picture
from ml.quality.trials import box_of, seen_mask

LEAST_IOU = 0.97  # mean, of first candidates, to whole windows in full precision
LEAST_HOVER_IOU = 0.90  # of previews, which a click confirms
LEAST_GAIN = 0.95  # of the processor time in full precision: less is not worth another file
MOST_CLICKS, WANTED = 8, 0.80  # for an object, and the IoU at which it counts as found
CERTAIN = 1.64  # standard errors: one-sided 95 %
SIZES = (0.0, 32.0, 64.0, 128.0, 256.0, 1024.0)  # px of the frame, the root of an object's area

Clicks = tuple[tuple[tuple[float, float], int], ...]


@dataclass(frozen=True)
class Way:
    """One way to decode: the fields' sides in tokens, the squares around them, a mask's stability, the precision."""

    fields: tuple[int, ...]
    far: int = 0
    stability: float = 0.0
    precision: str = FP32

    @property
    def parts(self) -> Parts:
        """What is asked of the decoder; of the reference, all."""
        return Parts(self.fields, self.far, self.stability)


REFERENCE = Way((GRID,))
LOOKS = tuple((SIDES[first:], far) for first in range(len(SIDES) - 1) for far in (8, 4, 2))
STABILITIES = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # the more is saved, the earlier
PREVIEWS = tuple(Way(SIDES[first:]) for first in range(len(SIDES) - 1))  # with nothing around; not for clicks


@dataclass(frozen=True)
class Agreement:
    """How one way agrees with the reference, over all prompts. `cpu_ms` and `reference_cpu_ms` are means: of a way that
    asks again where a mask is not stable, the median says little.

    `iou` and `iou_p5` are of first candidates, over the whole window. `clicks_more` is the mean of the clicks needed
    beyond the reference's, and `clicks_less_certain` the lower bound of its 95 % interval. `by_size` has the mean IoU
    of objects by the root of their area in px; `sides` how many prompts ended in a field of each side; `grown` how
    often a field had to grow.
    """

    way: Way
    prompts: int
    iou: float
    iou_p5: float
    clicks_more: float
    clicks_less_certain: float
    cpu_ms: float
    reference_cpu_ms: float
    grown: int
    sides: dict[str, int]
    by_size: dict[str, float]

    @property
    def holds(self) -> bool:
        """Whether this way may be used: the masks are the reference's, and no more clicks are needed."""
        return self.iou >= LEAST_IOU and self.clicks_less_certain <= 0

    def line(self) -> str:
        """For people to read."""
        sizes = ", ".join(f"{size} px {value:.3f}" for size, value in self.by_size.items())
        way = self.way
        return (
            f"  {'agrees' if self.holds else 'differs':<8} fields {'/'.join(map(str, way.fields)):<9} "
            f"around {way.far}  stable {way.stability:.2f}  {way.precision}\n"
            f"           IoU {self.iou:.3f} (p5 {self.iou_p5:.3f}), "
            f"{self.clicks_more:+.2f} clicks, {self.cpu_ms:.1f} ms beside {self.reference_cpu_ms:.1f}, "
            f"grown {self.grown} of {self.prompts}\n           by size: {sizes}"
        )


def agreements(
    model: InstalledModel,
    encoder: Encoder,
    pictures: Iterable[Picture],
    tell: Callable[[str], None] = lambda _: None,
) -> list[Agreement]:
    """What previews may be; each look, the most saving first, until it agrees; then the best of those in eight bits,
    where the model has such a file.

    A model without a file `prepare` has no other way than the reference. Nothing is measured without objects.
    """
    if model.prepare is None:
        return []
    shown = [(encoder.encode(one.pixels), truth) for one in pictures for truth in one.objects]
    reference = [_Object.asked(OnnxDecoder(model), REFERENCE, *one) for one in shown] if shown else []
    found: list[Agreement] = []

    def measure(way: Way) -> Agreement:
        decoder = OnnxDecoder(replace(model, precision=way.precision))
        tried = [_Object.asked(decoder, way, *one, like=base) for one, base in zip(shown, reference, strict=True)]
        found.append(_agreement(way, tried, reference))
        tell(found[-1].line())
        return found[-1]

    if not reference:
        return []
    for way in PREVIEWS:
        measure(way)
    for fields, far in LOOKS:
        for stability in STABILITIES:
            if measure(Way(fields, far, stability)).holds:
                break
    if model.decoder_int8 is not None:
        best = choice(found)
        if best == REFERENCE:
            measure(REFERENCE)
        measure(replace(best, precision=INT8))
    return found


def choice(found: Sequence[Agreement]) -> Way:
    """The way to decode by what was measured; the reference where nothing else agrees, or pays."""
    holding = [one for one in found if one.way.precision == FP32 and one.holds and one.cpu_ms <= one.reference_cpu_ms]
    full = min(holding, key=lambda one: one.cpu_ms, default=None)
    eight = next((one for one in found if one.way.precision == INT8 and one.holds), None)
    if eight is not None and full is not None and eight.cpu_ms <= LEAST_GAIN * full.cpu_ms:
        return eight.way
    return REFERENCE if full is None else full.way


def hover_way(found: Sequence[Agreement], chosen: Way) -> Way:
    """The most saving way whose masks are good enough to preview as they come, in the precision of clicks."""
    good = [one for one in found if one.way.precision == FP32 and one.iou >= LEAST_HOVER_IOU]
    best = min(good, key=lambda one: one.cpu_ms, default=None)
    return chosen if best is None else replace(best.way, precision=chosen.precision)


def record(folder: Path, found: Sequence[Agreement], pictures: str) -> Way:
    """Writes the choice, and what it rests on, into a model's manifest; a decoder that is not chosen goes."""
    chosen = choice(found)
    path = folder / MANIFEST
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    measured = [{**_rounded(asdict(one)), "holds": one.holds} for one in found]
    hover = hover_way(found, chosen)
    previews = {"hover_fields": hover.fields, "hover_far": hover.far, "hover_stability": hover.stability}
    manifest["decode"] = {**asdict(chosen), **previews, "measured_on": pictures, "measured": measured}
    unused = manifest["files"].pop("decoder_int8", None) if chosen.precision == FP32 else None
    aside = path.with_suffix(".making")
    aside.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    aside.replace(path)
    if unused is not None:
        (folder / Path(unused["path"]).name).unlink(missing_ok=True)
    return chosen


@dataclass(frozen=True, eq=False)
class _Object:
    """What one way makes of one object: a first click, a box, and the reference's first clicks; masks, times, fields.

    `clicks` are those that this way itself needed, `needed` their number.
    """

    size: float
    masks: tuple[Mask, ...]
    cpu_ms: tuple[float, ...]
    sides: tuple[int, ...]
    grown: int
    clicks: Clicks
    needed: int

    @classmethod
    def asked(
        cls, decoder: OnnxDecoder, way: Way, embedding: Embedding, truth: Mask, like: "_Object | None" = None
    ) -> "_Object":
        """Asks for an object; `like` is the reference's, whose clicks are asked for as well."""
        decoder.prepare(embedding)
        asker = _Asker(decoder, way, embedding, truth)
        own, needed = asker.clicked()
        boxed = PromptSet(np.zeros((0, 2)), np.zeros(0, np.int64), box_of(truth))
        asker.taken.clear()
        asker.ask(boxed, None)
        last: Seen | None = None
        for count in range(1, min(3, len(like.clicks if like else own)) + 1):
            last = asker.ask(_set((like.clicks if like else own)[:count]), last)
        masks, ms, sides, grown = zip(*asker.taken, strict=True)
        return cls(float(np.sqrt(truth.sum())), masks, ms, sides, sum(grown), own, needed)


class _Asker:
    """Asks for one object in one way; `taken` is, of each question, the mask, processor ms, side and times grown."""

    def __init__(self, decoder: OnnxDecoder, way: Way, embedding: Embedding, truth: Mask) -> None:
        self.decoder, self.way, self.embedding, self.truth = decoder, way, embedding, truth
        self.taken: list[tuple[Mask, float, int, int]] = []

    def ask(self, prompts: PromptSet, last: Seen | None) -> Seen:
        began = time.process_time()
        found = decode_nearby(self.decoder, self.embedding, Asked(prompts, last, parts=self.way.parts))
        spent = (time.process_time() - began) * 1000
        seen = Seen(found.candidates[0].logits, found.field)
        self.taken.append((seen_mask(seen.over(WHOLE), self.truth.shape), spent, found.near.cols, found.grown))
        return seen

    def clicked(self) -> tuple[Clicks, int]:
        """The clicks that this way needs, and how many until the object is found."""
        clicks: Clicks = ()
        found, last = np.zeros(self.truth.shape, bool), None
        overlaps: list[float] = []
        while len(overlaps) < MOST_CLICKS and (not overlaps or max(overlaps) < WANTED):
            click = next_click(found, self.truth)
            if click is None:
                break
            clicks = (*clicks, click)
            last = self.ask(_set(clicks), last)
            found = self.taken[-1][0]
            overlaps.append(iou(found, self.truth))
        return clicks, clicks_needed(tuple(overlaps), WANTED, MOST_CLICKS)


def _set(clicks: Clicks) -> PromptSet:
    return PromptSet(np.array([place for place, _ in clicks], float), np.array([label for _, label in clicks]))


def _agreement(way: Way, tried: Sequence[_Object], reference: Sequence[_Object]) -> Agreement:
    pairs = list(zip(tried, reference, strict=True))
    each = [[iou(one, other) for one, other in zip(ours.masks, base.masks, strict=True)] for ours, base in pairs]
    overlaps = np.concatenate([np.array(one) for one in each])
    more = np.array([ours.needed - base.needed for ours, base in pairs], float)
    sides = [side for ours in tried for side in ours.sides]
    by_size = {}
    for low, high in pairwise(SIZES):
        inside = [
            value for ours, values in zip(tried, each, strict=True) if low <= ours.size < high for value in values
        ]
        if inside:
            by_size[f"{low:.0f}-{high:.0f}"] = float(np.mean(inside))
    return Agreement(
        way=way,
        prompts=len(overlaps),
        iou=float(overlaps.mean()),
        iou_p5=float(np.percentile(overlaps, 5)),
        clicks_more=float(more.mean()),
        clicks_less_certain=float(more.mean() - CERTAIN * more.std(ddof=1) / np.sqrt(len(more)))
        if len(more) > 1
        else 0,
        cpu_ms=float(np.mean([ms for ours in tried for ms in ours.cpu_ms])),
        reference_cpu_ms=float(np.mean([ms for base in reference for ms in base.cpu_ms])),
        grown=sum(ours.grown for ours in tried),
        sides={str(side): sides.count(side) for side in sorted(set(sides))},
        by_size=by_size,
    )


def _rounded(said: Any) -> Any:
    if isinstance(said, dict):
        return {key: _rounded(value) for key, value in said.items()}
    return round(said, 4) if isinstance(said, float) else said
