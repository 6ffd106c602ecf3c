"""Clicks of one browser over the websocket of a running server, on ground that is encoded."""

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any

from tests.bench.grounds import Ground, names
from tests.bench.harness import Gate, Row, bootstrap, percentile
from tests.support.server import running_stack
from tests.support.ws_client import connected

ROUNDS = 2
STRIDE = 101  # prime, and longer than any picture has places: the next click is on another picture
WIRE_GOAL_MS, BYTES_GOAL = 10.0, 2048.0
SETUP = """
import json, sys
from pathlib import Path
from backend.accounts.services import create_token
from backend.encoding.engine import default_model
from backend.encoding.services import encode_window
from ml.windows import plan_windows
from tests.support.rasters import prepared
from tests.support.worlds import make_world
world = make_world("Bench")
rasters = []
for path in sys.argv[1:]:
    raster = prepared(world.project, world.owner, Path(path))
    if raster.state != raster.State.VIEWABLE:
        raise RuntimeError(f"{path}: {raster.state} {raster.error}")
    for window in plan_windows(raster.width, raster.height):
        encode_window(raster, window, default_model())
    rasters.append(str(raster.id))
print(json.dumps({"project": str(world.project.id), "rasters": rasters,
                  "model": default_model().name, "token": create_token(world.annotator, "t", None)[1]}))
"""
p50, p95 = partial(percentile, share=0.5), partial(percentile, share=0.95)


@dataclass(frozen=True)
class _Heard:
    """Of each click: its picture; milliseconds at the browser, of the decode, of the outlines, of all; bytes; and the
    side in tokens of the field that was decoded, and how often it had to grow."""

    picture: list[str] = field(default_factory=list)
    click: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)
    outline: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    wait: list[float] = field(default_factory=list)
    size: list[float] = field(default_factory=list)
    side: list[int] = field(default_factory=list)
    grown: list[int] = field(default_factory=list)


def measure(grounds: Sequence[Ground], gates: tuple[Gate, ...]) -> list[Row]:
    """The rows `click.wire_overhead_p95_ms` and `click.answer_bytes_p95`, under the gates of the decoder."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "data", worker=False, **_model_settings()) as stack,
    ):
        facts = json.loads(stack.python(SETUP, *(str(ground.path) for ground in grounds)))
        heard = asyncio.run(_click(stack.url, facts, grounds))
    pairs = list(zip(heard.click, heard.decode, strict=True))
    inputs = (facts["model"], *names(grounds))
    demo = [picture == grounds[0].name for picture in heard.picture]
    return [
        Row(
            name="click.wire_overhead_p95_ms",
            value=_overhead(pairs),
            goal=WIRE_GOAL_MS,
            better="lower",
            unit="ms",
            n=len(pairs),
            spread=bootstrap(pairs, _overhead),
            gates=gates,
            inputs=inputs,
            extra={
                "demo_alone_ms": _overhead(list(compress(pairs, demo))),
                "click_p50_ms": p50(heard.click),
                "click_p95_ms": p95(heard.click),
                "decode_p50_ms": p50(heard.decode),
                "decode_p95_ms": p95(heard.decode),
                "outlines_p50_ms": p50(heard.outline),
                "outlines_p95_ms": p95(heard.outline),
                "before_decode_p50_ms": p50(_less(heard.total, heard.decode, heard.outline)),
                "before_decode_p95_ms": p95(_less(heard.total, heard.decode, heard.outline)),
                "beyond_thread_p50_ms": p50(_less(heard.click, heard.total)),
                "beyond_thread_p95_ms": p95(_less(heard.click, heard.total)),
                "wait_p95_ms": p95(heard.wait),
                "share_by_side": {str(side): heard.side.count(side) / len(heard.side) for side in set(heard.side)},
                "grown": sum(heard.grown),
                "above_decode_click_by_click_p95_ms": p95(_less(heard.click, heard.decode)),
            },
        ),
        Row(
            name="click.answer_bytes_p95",
            value=p95(heard.size),
            goal=BYTES_GOAL,
            better="lower",
            unit="bytes",
            n=len(heard.size),
            spread=bootstrap(heard.size, p95),
            gates=gates,
            inputs=inputs,
            extra={
                "demo_alone_bytes": p95(list(compress(heard.size, demo))),
                "p50_bytes": p50(heard.size),
                "max_bytes": max(heard.size),
            },
        ),
    ]


def _model_settings() -> dict[str, str]:
    """The model that BENCH_MODEL names, as the server is told; nothing for the one that it takes by itself."""
    named = os.environ.get("BENCH_MODEL", "")
    return {"EDGEWISE_MODEL_DIRS": str(Path(named).parent), "EDGEWISE_MODEL": Path(named).name} if named else {}


def _overhead(pairs: Sequence[tuple[float, float]]) -> float:
    """The click's p95 less the decode's p95."""
    return p95([click for click, _ in pairs]) - p95([decode for _, decode in pairs])


def _less(whole: Sequence[float], *parts: Sequence[float]) -> list[float]:
    return [total - sum(taken) for total, *taken in zip(whole, *parts, strict=True)]


async def _click(url: str, facts: dict[str, Any], grounds: Sequence[Ground]) -> _Heard:
    """Each place of each picture in turn, the pictures mixed; the first round is not counted."""
    places = [
        (ground.name, raster, place)
        for raster, ground in zip(facts["rasters"], grounds, strict=True)
        for place in ground.places
    ]
    asked = [places[turn % len(places)] for turn in range(0, len(places) * (1 + ROUNDS) * STRIDE, STRIDE)]
    heard = _Heard()
    async with connected(url, facts["token"], facts["project"]) as browser:
        for number, (picture, raster, (lon, lat)) in enumerate(asked, -len(places)):
            answer, wall = await browser.click(raster, (lon, lat, 1))
            if answer["type"] != "suggestion":
                raise RuntimeError(f"no suggestion at {lon}, {lat}: {answer}")
            if number >= 0:
                heard.picture.append(picture)
                heard.click.append(wall)
                heard.decode.append(answer["ms"]["decode"])
                heard.outline.append(answer["ms"]["vectorize"])
                heard.total.append(answer["ms"]["total"])
                heard.wait.append(answer["ms"].get("wait", 0.0))
                heard.size.append(float(browser.sizes[-1]))
                heard.side.append(answer["field"]["side"])
                heard.grown.append(answer["field"]["grown"])
    return heard
