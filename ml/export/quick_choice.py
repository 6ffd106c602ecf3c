"""Gives a model the quickest encoder for processors whose masks agree with full precision, as measured on this one."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.decode import OnnxDecoder, PromptSet
from ml.embeddings import Embedding
from ml.embeddings.features import SHAPES
from ml.encode import OnnxEncoder
from ml.encode.onnx_encoder import prepare
from ml.export.pictures import overhead
from ml.export.quick_encoder import Ranges, write_observed, write_quick_encoder
from ml.models.installed import MANIFEST, SAME_RMS, InstalledModel, entry_of, load_model
from ml.models.processor import VNNI, abilities
from ml.models.sessions import open_observed

MEAN_IOU, P5_IOU = 0.98, 0.95  # the gate: masks against those of full precision
FLOAT_RMS, MOST_RMS = 1e-3, 0.10  # and features, in standard deviations: in float32, and in eight bits
PROMPTS = 500
PICTURES = 10
TURNS = 5  # timed encodes of each
CLIPPED = 1e-4  # of an activation's numbers, cut off at each end by calibration
QUICK = "encoder_quick"
FUSED, INT8, INT8_STATIC, AS_EXPORTED = "fp32", "int8", "int8-static", "as exported"

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Variant:
    """An encoder as measured: processor seconds a window on one thread, `times` as quick as the exported one.

    `mask_iou_mean` and `mask_iou_p5` are of the first candidates of clicks at random, against the exported encoder's by
    the same decoder; `feature_rms` is the largest of the three features' root mean square difference in standard
    deviations. None where a quicker one was good enough already.
    """

    precision: str
    seconds: float
    times: float
    mask_iou_mean: float | None = None
    mask_iou_p5: float | None = None
    feature_rms: float | None = None
    prompts: int = 0

    @property
    def passed(self) -> bool:
        """Whether masks and features agree well enough; not measured is not passed."""
        agree = (self.mask_iou_mean or 0) >= MEAN_IOU and (self.mask_iou_p5 or 0) >= P5_IOU
        return agree and self.feature_rms is not None and self.feature_rms <= self.tolerance

    @property
    def tolerance(self) -> float:
        """Within which its features must lie, and stay: `FLOAT_RMS` in float32, else the least of two that holds them.

        Within the first of those, half precision's, embeddings count as the same.
        """
        if self.precision == FUSED:
            return FLOAT_RMS
        return SAME_RMS if self.feature_rms is not None and self.feature_rms <= SAME_RMS else MOST_RMS

    def line(self) -> str:
        """For people to read."""
        timed = f"{self.precision:<12} {self.seconds:.2f} s of processor time, {self.times:.2f} x the exported encoder"
        if self.feature_rms is None:
            return f"  slower   {timed}"
        return (
            f"  {'agrees' if self.passed else 'differs':<8} {timed}\n"
            f"           {self.prompts} masks: IoU {self.mask_iou_mean:.3f} (p5 {self.mask_iou_p5:.3f}); features "
            f"by {self.feature_rms:.1e} of their deviation, root mean square (at most {self.tolerance:g})"
        )


def choose_quick_encoder(
    folder: Path,
    model: Any,
    *,
    pictures: Sequence[Pixels] = (),
    prompts: int = PROMPTS,
    turns: int = TURNS,
    tell: Callable[[str], None] = lambda _: None,
) -> Variant | None:
    """Measures every variant of a model in a folder, and keeps the quickest that passes beside the exported encoder.

    The manifest says so; None where none is both right and quicker. `model` is the SAM2Base that it was exported of.
    Of `pictures` (1024, 1024, 3), best of the user's own kind, the first half is for calibration, the rest for the
    gate; the demo and painted scenes stand in for them.
    """
    installed = load_model(folder)
    found = list(pictures) or overhead(PICTURES)
    half = max(1, len(found) // 2)
    with tempfile.TemporaryDirectory(prefix=".quick-", dir=folder) as place:
        tell("Calibrating the quick encoder")
        ranges = calibrate(installed, model, found[:half], Path(place))
        paths = {name: Path(place, f"{name}.onnx") for name in (FUSED, INT8, INT8_STATIC)}
        write_quick_encoder(model, paths[FUSED])
        write_quick_encoder(model, paths[INT8], int8=True)
        write_quick_encoder(model, paths[INT8_STATIC], int8=True, ranges=ranges)
        encoders = {name: OnnxEncoder(installed, file=entry_of(path)) for name, path in paths.items()}
        tell("Measuring the quick encoder")
        measured, chosen = measure(installed, encoders, found[half:] or found, prompts, turns)
        for variant in measured:
            tell(variant.line())
        _note(folder, measured, chosen, paths[chosen.precision] if chosen else None)
    return chosen


def keep_exported(folder: Path) -> None:
    """Takes a model's quick encoder away; its manifest says so."""
    _note(folder, [], None, None)


def measure(
    model: InstalledModel, encoders: dict[str, OnnxEncoder], pictures: Sequence[Pixels], prompts: int, turns: int
) -> tuple[list[Variant], Variant | None]:
    """The variants, quickest first, and the first of them that passes; those after it are timed only."""
    exported = OnnxEncoder(model, exact=True)
    spent = _seconds({"": exported, **encoders}, pictures, turns)
    measured: list[Variant] = []
    chosen: Variant | None = None
    reference = Reference.of(model, exported.encode, pictures, prompts)
    for name in sorted(encoders, key=spent.__getitem__):
        variant = Variant(name, round(spent[name], 4), round(spent[""] / spent[name], 3))
        if chosen is None:
            variant = Variant(variant.precision, variant.seconds, variant.times, **reference.compare(encoders[name]))
            chosen = variant if variant.passed and variant.times > 1 else None
        measured.append(variant)
    return measured, chosen


@dataclass(frozen=True, eq=False)
class Reference:
    """What the features and masks of an encoder in full precision are, for clicks at random on pictures."""

    decoder: OnnxDecoder
    pictures: Sequence[Pixels]
    features: Sequence[Embedding]
    clicks: Sequence[npt.NDArray[np.float64]]
    logits: Sequence[Sequence[npt.NDArray[np.float32]]]

    @classmethod
    def of(
        cls, model: InstalledModel, encode: Callable[[Pixels], Embedding], pictures: Sequence[Pixels], prompts: int
    ) -> "Reference":
        """Encodes with `encode`, decodes with the model's decoder."""
        rng = np.random.default_rng(0)
        decoder = OnnxDecoder(model)
        side, many = model.input_size, -(-prompts // len(pictures))
        clicks = [rng.uniform(0.02 * side, 0.98 * side, (many, 2)) for _ in pictures]
        features = [encode(pixels) for pixels in pictures]
        logits = [[_logits(decoder, one, click) for click in some] for one, some in zip(features, clicks, strict=True)]
        return cls(decoder, pictures, features, clicks, logits)

    def compare(self, encoder: OnnxEncoder) -> dict[str, Any]:
        """The measured part of a `Variant`, rounded."""
        found: list[float] = []
        apart = 0.0
        level = self._level
        for pixels, theirs, clicks, logits in zip(self.pictures, self.features, self.clicks, self.logits, strict=True):
            ours = encoder.encode(pixels)
            apart = max(apart, *feature_rms(ours, theirs).values())
            found += [
                _iou(_logits(self.decoder, ours, click) > level(one), one > level(one))
                for click, one in zip(clicks, logits, strict=True)
            ]
        return {
            "mask_iou_mean": round(statistics.mean(found), 5),
            "mask_iou_p5": round(float(np.quantile(found, 0.05)), 5),
            "feature_rms": round(apart, 6),
            "prompts": len(found),
        }

    @property
    def _level(self) -> Callable[[npt.NDArray[np.float32]], float]:
        """Where a mask begins: at 0; at the middle of the logits of a model whose masks are all or nothing.

        Those are models of random weights: their masks would agree whatever an encoder does.
        """
        shares = [float((one > 0).mean()) for some in self.logits for one in some]
        trained = statistics.mean(0.0005 < share < 0.98 for share in shares) > 0.5
        return (lambda _: 0.0) if trained else (lambda one: float(np.median(one)))


def feature_rms(ours: Embedding, theirs: Embedding) -> dict[str, float]:
    """Root mean square difference of each feature in standard deviations of the second's."""
    found = {}
    for name in SHAPES:
        one, other = getattr(ours, name), getattr(theirs, name)
        found[name] = float(np.sqrt(((one - other) ** 2).mean()) / (other.std() or 1.0))
    return found


def calibrate(installed: InstalledModel, model: Any, pictures: Sequence[Pixels], place: Path) -> Ranges:
    """Least and most of every activation over pictures, without the outermost 0.01 % at each end."""
    path = place / "observed.onnx"
    keys = write_observed(model, path)
    session = open_observed(entry_of(path))
    ranges: dict[str, tuple[float, float]] = {}
    for pixels in pictures:
        seen = session.run(None, {"image": prepare(pixels, installed)})[len(SHAPES) :]
        for key, numbers in zip(keys, seen, strict=True):
            low, high = (float(one) for one in np.quantile(numbers.ravel()[::7], (CLIPPED, 1 - CLIPPED)))
            before = ranges.get(key, (low, high))
            ranges[key] = min(low, before[0]), max(high, before[1])
    return ranges


def _seconds(encoders: dict[str, OnnxEncoder], pictures: Sequence[Pixels], turns: int) -> dict[str, float]:
    """Processor seconds of one window, by turns, the median."""
    spent: dict[str, list[float]] = {name: [] for name in encoders}
    for turn in range(turns + 1):
        for name, encoder in encoders.items():
            began = time.process_time()
            encoder.encode(pictures[turn % len(pictures)])
            if turn:  # the first fills caches
                spent[name].append(time.process_time() - began)
    return {name: statistics.median(times) for name, times in spent.items()}


def _logits(decoder: OnnxDecoder, features: Embedding, click: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = (
        decoder.decode(features, PromptSet(click[None], np.array([1]))).candidates[0].logits
    )
    return found


def _iou(ours: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_]) -> float:
    union = int((ours | theirs).sum())
    return int((ours & theirs).sum()) / union if union else 1.0


def _note(folder: Path, measured: list[Variant], chosen: Variant | None, made: Path | None) -> None:
    """Takes the file that was `made` in, and writes the outcome into the manifest, aside and renamed.

    The file's name has its hash in it, so that at no moment a manifest names a file that is not its own.
    """
    said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    said["files"].pop(QUICK, None)
    name = ""
    if made is not None:
        file = entry_of(made)
        name = f"{QUICK}-{file.sha256[:12]}.onnx"
        said["files"][QUICK] = {"path": name, "sha256": file.sha256, "bytes": made.stat().st_size}
        made.replace(folder / name)
    in_8_bits = chosen is not None and chosen.precision != FUSED
    said["encode"] = {
        "precision": chosen.precision if chosen else AS_EXPORTED,
        "needs": VNNI if in_8_bits and VNNI in abilities() else "",
        "tolerance": chosen.tolerance if chosen else 0.0,
        "gate": {"mask_iou_mean": MEAN_IOU, "mask_iou_p5": P5_IOU},
        "measured": [asdict(variant) for variant in measured],
    }
    aside = folder / f".{MANIFEST}"
    aside.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    aside.replace(folder / MANIFEST)
    for old in folder.glob(f"{QUICK}-*.onnx"):
        if old.name != name:
            old.unlink()
