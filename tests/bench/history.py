"""The committed runs: a ratio that has become slower beyond noise, and the page that shows how they went."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tests.bench.harness import ROOT

FOLDER = ROOT / "docs" / "benchmarks"
RUNS = FOLDER / "history.json"
CHART = FOLDER / "ratios.svg"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: written by `make bench KEEP=1` -->", "<!-- end of the figures -->"
RECENT = 5  # runs that a new one is held against
NOISE = 0.10  # by which a ratio differs between two runs of one commit on a busy machine
ELSEWHERE = 2  # times that on another processor
RATIO = "x"
Run = dict[str, Any]


@dataclass(frozen=True)
class Slower:
    """A ratio that got worse: its row, its value now, what recent runs had, and the bound that it has left."""

    name: str
    value: float
    before: float
    bound: float

    def __str__(self) -> str:
        return (
            f"{self.name} is {self.value:.3g} and was {self.before:.3g}: beyond {self.bound:.3g} it is worse than "
            "noise explains. Find the change that did it, or explain it in docs/benchmarks.md and keep the run."
        )


def runs() -> list[Run]:
    """The committed runs, the oldest first."""
    return list(json.loads(RUNS.read_text())["runs"]) if RUNS.exists() else []


def slower(body: Run, past: Sequence[Run]) -> list[Slower]:
    """The ratios of a run whose whole interval lies on the wrong side of what recent runs on the same inputs allow.

    Allowed is the median of the last five less a tenth, or less how far those five lie from it if that is more;
    twice as much where none of them ran on this processor.
    """
    found = []
    for row in body["rows"]:
        if row["unit"] != RATIO:
            continue
        values, times = _values(row, body["machine"], past)
        if not values:
            continue
        middle = statistics.median(values)
        noise = times * max(NOISE, max(abs(value - middle) for value in values) / middle)
        more_is_better = row["better"] == "higher"
        bound = middle * (1 - noise if more_is_better else 1 + noise)
        if row["spread"][1] < bound if more_is_better else row["spread"][0] > bound:
            found.append(Slower(row["name"], row["value"], middle, bound))
    return found


def keep(body: Run) -> None:
    """Adds a run to the history and writes the page and the chart anew. Raises `ValueError` where a gate fails."""
    for row in body["rows"]:
        for gate in row["gates"]:
            if (gate["value"] < gate["bound"]) == (gate["better"] == "higher") and gate["value"] != gate["bound"]:
                raise ValueError(f"{row['name']}: {gate['name']} does not hold, so this run is not kept")
    kept = [*runs(), body]
    FOLDER.mkdir(parents=True, exist_ok=True)
    RUNS.write_text(json.dumps({"runs": kept}, indent=1, ensure_ascii=False) + "\n")
    CHART.write_text(chart(kept))
    PAGE.write_text(page(PAGE.read_text(), kept))


def page(text: str, kept: Sequence[Run]) -> str:
    """The page with its figures replaced by those of the newest run of each row."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{_figures(kept)}\n\n{END}{after}"


def chart(kept: Sequence[Run]) -> str:
    """All ratios as one picture: a panel each, a dot and its interval for each run, the goal as a line."""
    names = sorted({row["name"] for run in kept for row in run["rows"] if row["unit"] == RATIO})
    panels = [_panel(name, [_row(run, name) for run in kept], 120 * number) for number, name in enumerate(names)]
    height = max(1, len(names)) * 120
    style = "text{font:12px sans-serif;fill:#57606a}.m{fill:#0969da}.s{stroke:#0969da}.g{stroke:#cf222e}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{height}" viewBox="0 0 720 {height}">'
    return "\n".join([head, f"<style>{style}</style>", *panels, "</svg>", ""])


def _values(row: dict[str, Any], machine: dict[str, Any], past: Sequence[Run]) -> tuple[list[float], int]:
    """The last values of this row on the same inputs, of this processor where there are any; and how wide noise is."""
    alike = [(run["machine"], old) for run in past for old in run["rows"] if _same(old, row)]
    here = [old for where, old in alike if (where["cpu"], where["cores"]) == (machine["cpu"], machine["cores"])]
    chosen = here or [old for _, old in alike]
    return [old["value"] for old in chosen[-RECENT:]], 1 if here else ELSEWHERE


def _same(old: dict[str, Any], row: dict[str, Any]) -> bool:
    return bool(old["name"] == row["name"] and list(old["inputs"]) == list(row["inputs"]))


def _row(run: Run, name: str) -> dict[str, Any] | None:
    return next((row for row in run["rows"] if row["name"] == name), None)


def _figures(kept: Sequence[Run]) -> str:
    newest: dict[str, tuple[Run, dict[str, Any]]] = {}
    for run in kept:
        newest |= {row["name"]: (run, row) for row in run["rows"]}
    lines = ["| row | figure | goal | 95 % interval | n | gates | run |", "|---|---|---|---|---|---|---|"]
    lines += [_line(row, kept.index(run) + 1) for run, row in newest.values()]
    inputs = list(dict.fromkeys(tuple(row["inputs"]) for _, row in newest.values() if row["inputs"]))
    lines += ["", "What lies behind them:", ""]
    lines += [f"- `{row['name']}`{_on(row, inputs)}: {_details(row)}" for _, row in newest.values() if row["extra"]]
    lines += [""] + [f"{chr(ord('A') + number)}: {', '.join(given)}. " for number, given in enumerate(inputs)]
    lines += [
        "",
        "| run | when | commit | processor | cores, memory | load before | packages |",
        "|---|---|---|---|---|---|---|",
    ]
    shown = {id(run) for run, _ in newest.values()}
    lines += [_machine(run, number) for number, run in enumerate(kept, 1) if id(run) in shown]
    return "\n".join(lines)


def _line(row: dict[str, Any], number: int) -> str:
    sign = {"higher": "≥", "lower": "≤"}
    gates = ", ".join(
        f"{gate['name']} {gate['value']:.4g} ({sign[gate['better']]} {gate['bound']:g})" for gate in row["gates"]
    )
    unit = "×" if row["unit"] == RATIO else f" {row['unit']}"
    met = "" if row["met"] else ", not met"
    spread = f"{row['spread'][0]:.4g} – {row['spread'][1]:.4g}"
    return (
        f"| `{row['name']}` | **{row['value']:.4g}{unit}** | {sign[row['better']]} {row['goal']:g}{met} | {spread} "
        f"| {row['n']} | {gates or '–'} | {number} |"
    )


def _on(row: dict[str, Any], inputs: Sequence[tuple[str, ...]]) -> str:
    return f" on {chr(ord('A') + inputs.index(tuple(row['inputs'])))}" if row["inputs"] else ""


def _details(row: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in row["extra"].items()
    )


def _machine(run: Run, number: int) -> str:
    machine, versions = run["machine"], run["versions"]
    flags = f" ({', '.join(machine['flags'])})" if machine["flags"] else ""
    packages = ", ".join(f"{name} {version}" for name, version in versions.items() if version != "not installed")
    return (
        f"| {number} | {run['at'][:16].replace('T', ' ')} UTC | {run['commit']} | {machine['cpu']}{flags} "
        f"| {machine['cores']}, {machine['memory_gib']} GiB | {machine['load_1_min']} | {packages} |"
    )


def _panel(name: str, rows: Sequence[dict[str, Any] | None], top: int) -> str:
    there = [(number, row) for number, row in enumerate(rows) if row is not None]
    most = 1.1 * max([row["spread"][1] for _, row in there] + [row["goal"] for _, row in there])
    step = 560 / max(1, len(rows) - 1)

    def x(number: int) -> float:
        return 100 + number * step if len(rows) > 1 else 380

    def y(value: float) -> float:
        return top + 108 - 84 * value / most

    goal, last = there[-1][1]["goal"], there[-1][1]["value"]
    drawn = [
        f'<text x="8" y="{top + 16}">{escape(name)}: {last:.3g}×, goal {goal:g}×</text>',
        f'<line class="g" x1="90" x2="670" y1="{y(goal):.1f}" y2="{y(goal):.1f}" stroke-dasharray="4 3"/>',
        f'<line x1="90" x2="670" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="#8c959f"/>',
    ]
    for number, row in there:
        low, high = (y(bound) for bound in row["spread"])
        drawn.append(f'<line class="s" x1="{x(number):.1f}" x2="{x(number):.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        drawn.append(f'<circle class="m" cx="{x(number):.1f}" cy="{y(row["value"]):.1f}" r="4"/>')
    return "\n".join(drawn)
