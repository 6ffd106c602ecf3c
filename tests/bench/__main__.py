"""`make bench`: runs the named groups, prints the table and writes var/bench/latest.json."""

import importlib
import os
import sys
from collections.abc import Sequence

from tests.bench import harness

GROUPS = ("click", "tiles", "events", "quality")


def main(names: Sequence[str]) -> int:
    """Runs the groups; 1 when a gate of any row fails, so that a wrong ratio is never quoted."""
    chosen = list(names) or [name for name in os.environ.get("BENCH", "").split(",") if name] or list(GROUPS)
    unknown = sorted(set(chosen) - set(GROUPS))
    if unknown:
        print(f"No such group: {', '.join(unknown)}. Choose from {', '.join(GROUPS)}.")
        return 2
    rows: list[harness.Row] = []
    left_out: list[str] = []
    for name in chosen:
        print(f"measuring {name} …", flush=True)
        measured, missing = importlib.import_module(f"tests.bench.{name}").run()
        rows += measured
        left_out += missing
    print(harness.report(rows, left_out))
    return 0 if all(gate.holds for row in rows for gate in row.gates) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
