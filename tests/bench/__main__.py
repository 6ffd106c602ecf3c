"""`make bench`: runs the named groups, prints the table and writes var/bench/latest.json; KEEP=1 keeps the run."""

import importlib
import os
import signal
import sys
from collections.abc import Sequence

from tests.bench import harness, history

GROUPS = ("click", "encode", "revisit", "tiles", "events", "polygons")
NAMED = ("quality",)  # which runs only where it is named: it takes minutes for each model, and measures no speed


def main(names: Sequence[str]) -> int:
    """Runs the groups; 1 when a gate fails, so that no wrong ratio is quoted, or when a ratio has become slower."""
    chosen = list(names) or [name for name in os.environ.get("BENCH", "").split(",") if name] or list(GROUPS)
    unknown = sorted(set(chosen) - {*GROUPS, *NAMED})
    if unknown:
        print(f"No such group: {', '.join(unknown)}. Choose from {', '.join((*GROUPS, *NAMED))}.")
        return 2
    rows: list[harness.Row] = []
    left_out: list[str] = []
    started = harness.machine()
    for name in chosen:
        print(f"measuring {name} …", flush=True)
        measured, missing = importlib.import_module(f"tests.bench.{name}").run()
        rows += measured
        left_out += missing
    body = harness.result(rows, left_out, started)
    harness.write_latest(body)
    print(harness.table(rows, left_out))
    fallen = history.slower(body, history.runs())
    for ratio in fallen:
        print(ratio)
    right = all(gate.holds for row in rows for gate in row.gates)
    if right and os.environ.get("KEEP"):
        history.keep(body)
        print("kept in docs/benchmarks/history.json; docs/benchmarks.md is written anew")
    return 0 if right and not fallen else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends, and its database goes
    sys.exit(main(sys.argv[1:]))
