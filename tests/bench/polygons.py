"""Outlines of buildings from masks against the truth: ours with right angles, Douglas-Peucker, and a known package.

The buildings are made ones and, with EDGEWISE_TEST_DATA, labels of real imagery. Only the half on which nothing was
tuned is measured; see `polygon_cases`.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import shapely

from ml.vectorize import Placing, Recipe, outline, polygon_from_logits
from ml.windows import Window
from tests.bench.harness import Gate, Row, bootstrap
from tests.bench.polygon_cases import CELL_PX, NO_LABELS, SIDE, Case, Half, real, synthetic
from tests.bench.polygon_metrics import measures

BUILDINGS = 120
PLAIN_PX = 2.0  # of Douglas-Peucker: half a cell of the logits
MS_GOAL, N_RATIO_GOAL, POLIS_GOAL = 5.0, 1.3, 1.0
LEAST_N_RATIO = 0.8
PACKAGE = "buildingregulariser"
OURS, PLAIN = "ours", "douglas_peucker"
PLACING = Placing(0, 0, (CELL_PX, CELL_PX), SIDE, SIDE)
RIGHT_ANGLES = Recipe(form="right_angles")

Outlining = Callable[[Case], Any]


@dataclass(frozen=True, eq=False)
class Judged:
    """What was measured of each building's outline by one method, and how many outlines were invalid."""

    values: Mapping[str, Sequence[float]]
    invalid: int

    def mean(self, name: str) -> float:
        return float(statistics.mean(self.values[name]))

    @property
    def means(self) -> dict[str, float]:
        return {name: round(self.mean(name), 4) for name in self.values}


def run() -> tuple[list[Row], list[str]]:
    """The rows `polygons.*` of made buildings and `polygons.real.*` of labelled ones; prints the table of all."""
    left_out = []
    methods: dict[str, Outlining] = {OURS: _ours, PLAIN: _plain}
    if find_spec(PACKAGE) and find_spec("geopandas"):
        methods[PACKAGE] = _packaged
    else:
        left_out.append(f"polygons.* beside {PACKAGE}: it is not installed (requirements/bench.txt has it)")
    labelled = real(Half.REPORTED)
    if not labelled:
        left_out.append(NO_LABELS)
    by_set = {
        name: {method: judged(cases, make) for method, make in methods.items()}
        for name, cases in {"synthetic": synthetic(BUILDINGS, Half.REPORTED), **labelled}.items()
    }
    print(table(by_set))
    rows = _rows("polygons", by_set["synthetic"], f"{BUILDINGS} synthetic buildings", by_set)
    together = [by_set[name] for name in labelled]
    if together:
        pooled = {method: _pooled([one[method] for one in together]) for method in methods}
        rows += _rows("polygons.real", pooled, f"labels of {', '.join(labelled)}", by_set)
    return rows, left_out


def table(by_set: Mapping[str, Mapping[str, Judged]]) -> str:
    """The means of every measure by set and method, and how many outlines were invalid."""
    names = list(next(iter(next(iter(by_set.values())).values())).values)
    lines = [f"{'buildings':<12}{'method':<22}{'n':>5}" + "".join(f"{name:>14}" for name in names) + f"{'invalid':>9}"]
    for name, methods in by_set.items():
        for method, found in methods.items():
            means = "".join(f"{found.mean(measure):>14.3f}" for measure in names)
            lines.append(f"{name:<12}{method:<22}{len(found.values[names[0]]):>5}{means}{found.invalid:>9}")
    return "\n".join(lines)


def judged(cases: Sequence[Case], make: Outlining) -> Judged:
    """Of each building's largest part `measures`, and the processor ms that its outline took."""
    values: dict[str, list[float]] = {}
    invalid = 0
    for case in cases:
        begun = time.thread_time()
        shape = make(case)
        spent = (time.thread_time() - begun) * 1000
        invalid += not shape.is_valid
        found = measures(max(shapely.get_parts(shape), key=shapely.area), case.truth)
        for name, value in {**found, "ms": spent}.items():
            values.setdefault(name, []).append(value)
    return Judged(values, invalid)


def _pooled(sets: Sequence[Judged]) -> Judged:
    values = {name: [value for one in sets for value in one.values[name]] for name in sets[0].values}
    return Judged(values, sum(one.invalid for one in sets))


def _rows(
    prefix: str, methods: Mapping[str, Judged], inputs: str, by_set: Mapping[str, Mapping[str, Judged]]
) -> list[Row]:
    """N-ratio, PoLiS over that of each other method, and the time, each beside what makes it count."""
    ours = methods[OURS]
    extra = {name: {method: found.means for method, found in one.items()} for name, one in by_set.items()}
    sound = Gate("invalid", float(ours.invalid), 0.0, "lower")
    better = [
        Gate(f"iou_above_{name}", ours.mean("iou") - other.mean("iou"), 0.0)
        for name, other in methods.items()
        if name != OURS
    ]
    enough = Gate("n_ratio_not_below", ours.mean("n_ratio"), LEAST_N_RATIO)
    measured: list[tuple[str, Sequence[float], Callable[[Sequence[float]], float], float, str, tuple[Gate, ...]]] = [
        ("n_ratio", ours.values["n_ratio"], statistics.mean, N_RATIO_GOAL, "x", (*better, enough, sound)),
        ("ms_median", ours.values["ms"], statistics.median, MS_GOAL, "ms", (sound,)),
    ]
    for method, other in methods.items():
        if method == OURS:
            continue
        row = "polis_vs_baseline" if method == PLAIN else "polis_vs_package"
        pairs = zip(ours.values["polis_px"], other.values["polis_px"], strict=True)
        shares = [mine / theirs for mine, theirs in pairs]
        means = Gate("of_the_means", ours.mean("polis_px") / other.mean("polis_px"), 1.0, "lower")
        measured.append((row, shares, statistics.median, POLIS_GOAL, "x", (*better, means, sound)))
    return [
        Row(
            name=f"{prefix}.{name}",
            value=statistic(values),
            goal=goal,
            better="lower",
            unit=unit,
            n=len(values),
            spread=bootstrap(values, statistic),
            gates=gates,
            inputs=(inputs,),
            extra=extra if name == "n_ratio" else {},
        )
        for name, values, statistic, goal, unit, gates in measured
    ]


def _ours(case: Case) -> Any:
    made = outline(case.logits, PLACING, RIGHT_ANGLES)
    return shapely.Polygon() if made is None else made.shape


def _plain(case: Case) -> Any:
    return shapely.simplify(_contour(case), PLAIN_PX)


def _packaged(case: Case) -> Any:
    """The package's own defaults, but for a tolerance in our pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import geopandas
        from buildingregulariser import regularize_geodataframe

        frame = geopandas.GeoDataFrame(geometry=[_contour(case)], crs="EPSG:32633")
        return regularize_geodataframe(frame, simplify_tolerance=PLAIN_PX, num_cores=1).geometry.iloc[0]


def _contour(case: Case) -> Any:
    traced = polygon_from_logits(case.logits, Window(0, 0), width=SIDE, height=SIDE, simplify_px=0)
    return max(shapely.get_parts(traced), key=shapely.area)
