"""What a click costs: against Meta's own predictor in the same process, and over the websocket of a running server."""

from tests.bench import click_predict, click_wire
from tests.bench.grounds import grounds
from tests.bench.harness import Row


def run() -> tuple[list[Row], list[str]]:
    """The rows `click.*`."""
    found, left_out = grounds()
    rows, missing = click_predict.measure(found)
    return [*rows, *click_wire.measure(found)], [*left_out, *missing]
