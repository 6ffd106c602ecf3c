"""Outlines of buildings from masks against the truth: ours with right angles, Douglas-Peucker, and a known package."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely import affinity
from shapely.geometry import Polygon, box

from ml.vectorize import forming, polygon_from_logits
from ml.windows import Window
from tests.bench.harness import Gate, Row, bootstrap

BUILDINGS = 120
PLAIN_PX = 2.0  # of Douglas-Peucker: half a cell of the logits
MS_GOAL, N_RATIO_GOAL, POLIS_GOAL = 5.0, 1.3, 1.0
LEAST_N_RATIO = 0.8
PACKAGE = "buildingregulariser"
SIDE = 1024
CELLS = np.arange(256) * 4 + 2.0


@dataclass(frozen=True, eq=False)
class Case:
    """A building and the logits of its mask."""

    truth: Polygon
    logits: npt.NDArray[np.float32]


def run() -> tuple[list[Row], list[str]]:
    """The rows `polygons.*`."""
    cases = [_case(seed) for seed in range(BUILDINGS)]
    ours = _judged(cases, _ours)
    plain = _judged(cases, _plain)
    left_out = []
    beside: dict[str, Any] = {"douglas_peucker": plain.means}
    if find_spec(PACKAGE) and find_spec("geopandas"):
        beside[PACKAGE] = _judged(cases, _packaged).means
    else:
        left_out.append(f"polygons.* beside {PACKAGE}: it is not installed (pip install {PACKAGE})")
    better = Gate("iou_above_douglas_peucker", ours.mean("iou") - plain.mean("iou"), 0.0)
    extra = {"ours": ours.means, **beside}
    n_ratio, polis = ours.values["n_ratio"], ours.values["polis_px"]
    shares = [mine / theirs for mine, theirs in zip(polis, plain.values["polis_px"], strict=True)]
    enough = Gate("n_ratio_not_below", statistics.mean(n_ratio), LEAST_N_RATIO)
    sound = Gate("invalid", float(ours.invalid), 0.0, "lower")
    ms = ours.values["ms"]
    measured = (
        ("polygons.n_ratio", n_ratio, statistics.mean, N_RATIO_GOAL, "x", (better, enough, sound)),
        ("polygons.polis_vs_baseline", shares, statistics.median, POLIS_GOAL, "x", (better, sound)),
        ("polygons.ms_median", ms, statistics.median, MS_GOAL, "ms", (sound,)),
    )
    return [
        Row(
            name=name,
            value=statistic(values),
            goal=goal,
            better="lower",
            unit=unit,
            n=len(values),
            spread=bootstrap(values, statistic),
            gates=gates,
            inputs=(f"{BUILDINGS} synthetic buildings",),
            extra=extra,
        )
        for name, values, statistic, goal, unit, gates in measured
    ], left_out


@dataclass(frozen=True, eq=False)
class Judged:
    """What was measured of each building, and how many outlines were invalid."""

    values: dict[str, list[float]]
    invalid: int

    def mean(self, name: str) -> float:
        return statistics.mean(self.values[name])

    @property
    def means(self) -> dict[str, float]:
        return {name: round(float(self.mean(name)), 4) for name in self.values}


def _judged(cases: list[Case], outline: Callable[[Case], Any]) -> Judged:
    """IoU; PoLiS (Avbelj et al., 2015, IEEE GRSL 12(1)) and Hausdorff, px; vertices over the truth's; processor ms."""
    values: dict[str, list[float]] = {name: [] for name in ("iou", "polis_px", "hausdorff_px", "n_ratio", "ms")}
    invalid = 0
    for case in cases:
        begun = time.thread_time()
        shape = outline(case)
        values["ms"].append((time.thread_time() - begun) * 1000)
        invalid += not shape.is_valid
        found = max(shapely.get_parts(shape), key=shapely.area)
        truth = case.truth
        values["iou"].append(
            shapely.area(shapely.intersection(found, truth)) / shapely.area(shapely.union(found, truth))
        )
        values["polis_px"].append((_away(found, truth) + _away(truth, found)) / 2)
        values["hausdorff_px"].append(shapely.hausdorff_distance(found.exterior, truth.exterior))
        values["n_ratio"].append((len(found.exterior.coords) - 1) / (len(truth.exterior.coords) - 1))
    return Judged(values, invalid)


def _away(one: Polygon, other: Polygon) -> float:
    """The mean distance of a polygon's corners from the other's outline."""
    corners = shapely.points(shapely.get_coordinates(one.exterior)[:-1])
    return float(np.mean(shapely.distance(corners, other.exterior)))


def _ours(case: Case) -> Any:
    return polygon_from_logits(
        case.logits, Window(0, 0), width=SIDE, height=SIDE, forming=forming("right_angles", (1.0, 1.0))
    )


def _plain(case: Case) -> Any:
    return shapely.simplify(_contour(case), PLAIN_PX)


def _packaged(case: Case) -> Any:
    """The package's own defaults, but for a tolerance in our pixels."""
    import geopandas
    from buildingregulariser import regularize_geodataframe

    frame = geopandas.GeoDataFrame(geometry=[_contour(case)], crs="EPSG:32633")
    return regularize_geodataframe(frame, simplify_tolerance=PLAIN_PX, num_cores=1).geometry.iloc[0]


def _contour(case: Case) -> Any:
    traced = polygon_from_logits(case.logits, Window(0, 0), width=SIDE, height=SIDE, simplify_px=0)
    return max(shapely.get_parts(traced), key=shapely.area)


def _case(seed: int) -> Case:
    """A box, L, T or U of 40 to 300 px, turned; its mask with round corners, and noise that wanders by a few px."""
    random = np.random.default_rng(seed)
    wide = math.exp(random.uniform(math.log(40), math.log(300)))
    deep = wide * random.uniform(0.4, 1)
    base = box(-wide / 2, -deep / 2, wide / 2, deep / 2)
    forms = [
        base,
        base.difference(box(0, 0, wide, deep)),
        base.union(box(-0.15 * wide, deep / 2 - 1, 0.2 * wide, 0.95 * deep)),
        base.difference(box(-0.2 * wide, 0, 0.2 * wide, deep)),
    ]
    turned = affinity.rotate(forms[seed % len(forms)], random.uniform(0, 90), origin=(0, 0))
    truth = affinity.translate(turned, *(SIDE / 2 + random.uniform(-5, 5, 2)))
    grid = shapely.points(*np.meshgrid(CELLS, CELLS))
    shapely.prepare([truth, truth.boundary])
    distance = shapely.distance(truth.boundary, grid)
    field = np.clip(np.where(shapely.contains(truth, grid), distance, -distance) / 4, -6, 6)
    noise = _low_pass(random.standard_normal(field.shape), 1.5)
    return Case(truth, (_low_pass(field, 1.0) + 0.5 * noise / noise.std()).astype(np.float32))


def _low_pass(field: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """A Gaussian blur of `sigma` cells, by its transfer function."""
    along, across = np.fft.fftfreq(field.shape[0])[:, None], np.fft.rfftfreq(field.shape[1])[None]
    passed = np.exp(-2 * (np.pi * sigma) ** 2 * (along**2 + across**2))
    return np.asarray(np.fft.irfft2(np.fft.rfft2(field) * passed, s=field.shape))
