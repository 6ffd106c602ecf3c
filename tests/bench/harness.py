"""The form of a measurement: interleaved pairs, bootstrap intervals, gates beside each ratio, JSON and a table."""

import json
import math
import os
import platform
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LATEST = ROOT / "var" / "bench" / "latest.json"
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")  # what sets the pace of inference
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
    """One measured figure with its goal, its spread and its gates.

    `inputs` says on what it was measured: only rows of the same inputs are held against each other.
    """

    name: str
    value: float
    goal: float
    better: str
    unit: str
    n: int
    spread: tuple[float, float]
    gates: tuple[Gate, ...] = ()
    inputs: tuple[str, ...] = ()
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
    return ordered[max(0, math.ceil(round(share * len(ordered), 6)) - 1)]


def bootstrap(
    values: Sequence[float], statistic: Callable[[Sequence[float]], float], seed: int = 0
) -> tuple[float, float]:
    """The 95 % bootstrap interval of a statistic."""
    rng = random.Random(seed)
    draws = sorted(statistic(rng.choices(values, k=len(values))) for _ in range(500))
    return draws[12], draws[487]


def processor_ms(pid: int) -> float:
    """The processor time that a running process has taken, those of its threads that have ended too. Linux only."""
    clock = (~pid << 3) | 2  # the clock that clock_getcpuclockid(3) gives: CPUCLOCK_SCHED of the whole process
    return time.clock_gettime_ns(clock) / 1e6


def result(rows: Sequence[Row], left_out: Sequence[str], started: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a run: the machine as it was found, the versions, every row."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": started,
        "versions": versions(),
        "rows": [{**asdict(row), "met": row.met} for row in rows],
        "left_out": list(left_out),
    }


def write_latest(body: dict[str, Any]) -> None:
    """Into var/bench/latest.json."""
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(json.dumps(body, indent=1))


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
    """The processor, what it can do that matters here, its cores, the memory and how busy it is."""
    known = dict(_said(Path("/proc/cpuinfo")))
    memory = dict(_said(Path("/proc/meminfo"))).get("MemTotal", "0 kB")
    return {
        "cpu": known.get("model name") or platform.processor(),
        "flags": [flag for flag in FLAGS if flag in known.get("flags", "").split()],
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory.split()[0]) / 2**20),
        "system": platform.system(),
        "load_1_min": round(os.getloadavg()[0], 2),
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


def _said(path: Path) -> list[tuple[str, str]]:
    """The `name : value` lines of one of the kernel's tables."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [(name.strip(), value.strip()) for name, mark, value in (line.partition(":") for line in lines) if mark]


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _time(action: Callable[[int], object], index: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    action(index)
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def _median_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return statistics.median(theirs for theirs, _ in pairs) / statistics.median(ours for _, ours in pairs)
