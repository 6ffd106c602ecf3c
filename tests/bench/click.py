"""What a click costs: against Meta's own predictor in the same process, and over the websocket of a running server."""

from tests.bench import click_predict, click_wire
from tests.bench.grounds import grounds
from tests.bench.harness import Row


def run() -> tuple[list[Row], list[str]]:
    """The rows `click.*`."""
    found, left_out = grounds()
    rows, missing = click_predict.measure(found)
    gates = tuple(gate for row in rows for gate in row.gates)  # the server decodes with the same decoder
    return [*rows, *click_wire.measure(found, gates)], [*left_out, *missing]
