"""What trials come to: means with their 95 % intervals, as rows, a table and JSON."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ml.quality.measures import clicks_needed
from ml.quality.trials import LEAST_CLICKS, MOST_CLICKS, Trial

WANTED = (0.80, 0.85, 0.90)
DRAWS = 1000


@dataclass(frozen=True)
class Figure:
    """One figure over all objects: `low` and `high` bound its 95 % bootstrap interval over objects."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Result:
    """One model on one set of pictures."""

    model: str
    pictures: str
    objects: int
    figures: tuple[Figure, ...]

    def __getitem__(self, name: str) -> Figure:
        """The figure of a name. Raises `KeyError`."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)

    def as_json(self) -> dict[str, Any]:
        """The same for a file."""
        return asdict(self)

    def table(self) -> str:
        """The same for a person."""
        lines = [f"{self.model} on {self.pictures}: {self.objects} objects"]
        lines += [f"  {one.name:<24}{one.value:>8.3f}   {one.low:.3f} – {one.high:.3f}" for one in self.figures]
        return "\n".join(lines)


def summarise(model: str, pictures: str, trials: Sequence[Trial], most: int = MOST_CLICKS) -> Result:
    """All figures of some trials. Raises `ValueError` when there are none."""
    if not trials:
        raise ValueError("nothing was tried")
    figures = [_figure(name, trials, one) for name, one in _figures(most).items()]
    return Result(model, pictures, len(trials), tuple(figures))


def worst_first(trials: Sequence[Trial]) -> list[Trial]:
    """By the mean IoU over the first five clicks."""
    return sorted(trials, key=lambda trial: float(np.mean(trial.centre[:LEAST_CLICKS])))


def _figures(most: int) -> dict[str, Callable[[Trial], float]]:
    made: dict[str, Callable[[Trial], float]] = {}
    for kind in ("centre", "jittered"):
        mark = "" if kind == "centre" else "_jittered"
        for number in range(1, LEAST_CLICKS + 1):
            made[f"miou_{number}_click{'s' if number > 1 else ''}{mark}"] = _after(kind, number)
        for wanted in WANTED:
            made[f"noc{wanted * 100:.0f}{mark}"] = _needed(kind, wanted, most)
            made[f"never{wanted * 100:.0f}{mark}"] = _never(kind, wanted)
    made["miou_box"] = lambda trial: trial.box
    made["boundary_1_click"] = lambda trial: trial.boundary
    made["boundary_box"] = lambda trial: trial.box_boundary
    return made


def _after(kind: str, number: int) -> Callable[[Trial], float]:
    return lambda trial: float(getattr(trial, kind)[number - 1])


def _needed(kind: str, wanted: float, most: int) -> Callable[[Trial], float]:
    return lambda trial: float(clicks_needed(getattr(trial, kind), wanted, most))


def _never(kind: str, wanted: float) -> Callable[[Trial], float]:
    return lambda trial: float(max(getattr(trial, kind)) < wanted)


def _figure(name: str, trials: Sequence[Trial], one: Callable[[Trial], float]) -> Figure:
    values = np.array([one(trial) for trial in trials])
    draws = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return Figure(name, float(values.mean()), float(low), float(high))
