"""The form of a measurement: interleaved pairs, bootstrap intervals, gates beside each ratio, JSON and a table."""

import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LATEST = ROOT / "var" / "bench" / "latest.json"
PACKAGES = ("numpy", "onnxruntime", "torch", "sam2", "rasterio", "rio-tiler", "titiler.core", "django", "uvicorn")


@dataclass(frozen=True)
class Gate:
    """What must hold for a row to count: `value` on the right side of `bound`."""

    name: str
    value: float
    bound: float
    better: str = "higher"

    @property
    def holds(self) -> bool:
        """Whether the row counts."""
        return self.value >= self.bound if self.better == "higher" else self.value <= self.bound


@dataclass(frozen=True)
class Row:
    """One measured figure with its goal, its spread and its gates; see goals.md's row names."""

    name: str
    value: float
    goal: float
    better: str
    unit: str
    n: int
    spread: tuple[float, float]
    gates: tuple[Gate, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the goal is reached and every gate holds."""
        reached = self.value >= self.goal if self.better == "higher" else self.value <= self.goal
        return reached and all(gate.holds for gate in self.gates)


@dataclass(frozen=True)
class Timed:
    """Wall and processor milliseconds of each repetition of two interleaved actions."""

    ours_wall: list[float]
    ours_cpu: list[float]
    theirs_wall: list[float]
    theirs_cpu: list[float]


def interleaved(ours: Callable[[int], object], theirs: Callable[[int], object], pairs: int, warm_up: int = 3) -> Timed:
    """Runs A-B-B-A-A-B… in one process; the processor time is this process's own."""
    timed = Timed([], [], [], [])
    for index in range(-warm_up, pairs):
        order = [(ours, True), (theirs, False)] if index % 2 else [(theirs, False), (ours, True)]
        for action, is_ours in order:
            wall, cpu = _time(action, index)
            if index >= 0:
                (timed.ours_wall if is_ours else timed.theirs_wall).append(wall)
                (timed.ours_cpu if is_ours else timed.theirs_cpu).append(cpu)
    return timed


def ratio(theirs: Sequence[float], ours: Sequence[float], seed: int = 0) -> tuple[float, tuple[float, float]]:
    """Median of `theirs` over median of `ours`, with a 95 % bootstrap interval over pairs."""
    rng = random.Random(seed)
    pairs = list(zip(theirs, ours, strict=True))
    draws = sorted(_median_ratio([pairs[rng.randrange(len(pairs))] for _ in pairs]) for _ in range(1000))
    return _median_ratio(pairs), (draws[25], draws[974])


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share (0..1) lies, by the nearest-rank rule."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def bootstrap(
    values: Sequence[float], statistic: Callable[[Sequence[float]], float], seed: int = 0
) -> tuple[float, float]:
    """The 95 % bootstrap interval of a statistic."""
    rng = random.Random(seed)
    draws = sorted(statistic(rng.choices(values, k=len(values))) for _ in range(500))
    return draws[12], draws[487]


def processor_ms(pid: int) -> float:
    """The processor time that a running process has taken, all its threads, in steps of 10 ms. Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")  # utime, stime: proc(5)


def report(rows: Sequence[Row], left_out: Sequence[str]) -> str:
    """Writes the JSON file and gives the table that is printed."""
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    body = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "rows": [{**asdict(row), "met": row.met} for row in rows],
        "left_out": list(left_out),
    }
    LATEST.write_text(json.dumps(body, indent=1))
    return table(rows, left_out)


def table(rows: Sequence[Row], left_out: Sequence[str]) -> str:
    """The rows as text."""
    lines = [f"{'row':<32}{'value':>10} {'goal':>8} {'unit':<6}{'95 % interval':>19}{'n':>6}  gates"]
    for row in rows:
        sign = "≥" if row.better == "higher" else "≤"
        gates = ", ".join(
            f"{gate.name} {gate.value:.4g} ({'holds' if gate.holds else 'FAILS'}: "
            f"{'≥' if gate.better == 'higher' else '≤'} {gate.bound:g})"
            for gate in row.gates
        )
        spread = f"{row.spread[0]:.4g} – {row.spread[1]:.4g}"
        mark = "" if row.met else "  ← not met"
        lines.append(
            f"{row.name:<32}{row.value:>10.4g} {sign}{row.goal:<7g} {row.unit:<6}{spread:>19}{row.n:>6}  {gates}{mark}"
        )
    lines += [f"left out: {reason}" for reason in left_out]
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """The processor, its cores and how busy it was."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = named[0] if named else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "load_1_min": os.getloadavg()[0],
    }


def versions() -> dict[str, str]:
    """The versions of the packages that matter to the figures."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _time(action: Callable[[int], object], index: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    action(index)
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def _median_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return statistics.median(theirs for theirs, _ in pairs) / statistics.median(ours for _, ours in pairs)
