"""What a click costs: against Meta's own predictor in the same process, and over the websocket of a running server."""

import asyncio
import json
import os
import statistics
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from PIL import Image
from rasterio.warp import transform as warp_points

from ml.decode import Decoded, OnnxDecoder, PromptSet
from ml.embeddings import Embedding
from ml.encode import OnnxEncoder
from ml.models import load_model
from ml.vectorize import polygon_from_logits
from ml.windows import Window
from tests.bench.harness import ROOT, Gate, Row, bootstrap, interleaved, percentile, ratio
from tests.support import sam2_reference
from tests.support.server import running_stack
from tests.support.ws_client import connected

PAIRS, CLICKS, WARM_UP = 60, 150, 10
CPU_GOAL, WIRE_GOAL_MS, BYTES_GOAL = 5.0, 10.0, 2048.0
IOU_BOUND = 0.97
SIDE = 1024
VILLAGE = ROOT / "fixtures" / "demo" / "edgewick-2025-05"
REFERENCE = "nano-interim"  # the folder of the reference's weights, and of the same model as we run it
SETUP = """
import json, sys
from pathlib import Path
from backend.accounts.services import create_token
from backend.encoding.services import encode_window
from ml.windows import plan_windows
from tests.support.rasters import prepared
from tests.support.worlds import make_world
world = make_world("Bench")
raster = prepared(world.project, world.owner, Path(sys.argv[1]))
for window in plan_windows(raster.width, raster.height):
    encode_window(raster, window)
print(json.dumps({"project": str(world.project.id), "raster": str(raster.id),
                  "token": create_token(world.annotator, "t", None)[1]}))
"""


def run() -> tuple[list[Row], list[str]]:
    """The rows `click.*`."""
    rows, left_out = _against_predictor()
    return [*rows, *_over_the_wire()], left_out


@dataclass(frozen=True)
class Ground:
    """A picture of 1024 px and clicks on it, (N, 2) in its pixels."""

    pixels: npt.NDArray[np.uint8]
    clicks: npt.NDArray[np.float64]


def _village() -> Ground:
    """The demo's first window, and a click in each object that lies in it, the same objects every time."""
    with rasterio.open(f"{VILLAGE}.tif") as source:
        pixels = source.read([1, 2, 3], window=rasterio.windows.Window(0, 0, SIDE, SIDE)).transpose(1, 2, 0)
        places = np.array(_places())
        xs, ys = warp_points("EPSG:4326", source.crs, places[:, 0], places[:, 1])
        clicks = np.array([~source.transform @ place for place in zip(xs, ys, strict=True)])
    inside = ((clicks > 20) & (clicks < SIDE - 20)).all(axis=1)
    return Ground(np.ascontiguousarray(pixels), clicks[inside])


def _places() -> list[tuple[float, float]]:
    """A lon/lat inside each area of the demo's first date."""
    features = json.loads(Path(f"{VILLAGE}.geojson").read_text())["features"]
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
    inner = [shape.representative_point() for shape in shapes if shape.geom_type.endswith("Polygon")]
    return [(point.x, point.y) for point in inner]


def _against_predictor() -> tuple[list[Row], list[str]]:
    """Processor time of `predict` over ours, from a click to masks and, ours, three polygons; one thread each."""
    folder = os.environ.get("EDGEWISE_TEST_MODELS", "")
    weights = Path(folder, REFERENCE, "nano.pt")
    if not sam2_reference.available():
        return [], [f"click.cpu_ratio: {sam2_reference.MISSING}"]
    if not folder or not weights.is_file():
        return [], ["click.cpu_ratio: set EDGEWISE_TEST_MODELS to the folder with the reference's weights"]
    import torch

    torch.set_num_threads(1)
    model = load_model(ROOT / "fixtures" / "models" / REFERENCE)
    ground = _village()
    embedding = OnnxEncoder(model).encode(ground.pixels)
    decoder = OnnxDecoder(model)
    predictor = sam2_reference.predictor(weights.with_name("nano.yaml"), weights)
    predictor.set_image(Image.fromarray(ground.pixels))
    timed = interleaved(
        lambda i: _outlines(decoder, embedding, ground.clicks[i % len(ground.clicks)]),
        lambda i: _predict(predictor, ground.clicks[i % len(ground.clicks)]),
        PAIRS,
    )
    agreement = [_agreement(_decode(decoder, embedding, click), *_predict(predictor, click)) for click in ground.clicks]
    value, spread = ratio(timed.theirs_cpu, timed.ours_cpu)
    row = Row(
        name="click.cpu_ratio",
        value=value,
        goal=CPU_GOAL,
        better="higher",
        unit="x",
        n=PAIRS,
        spread=spread,
        gates=(Gate("iou_to_predict", statistics.mean(agreement), IOU_BOUND),),
        extra={
            "ours_cpu_ms_p50": statistics.median(timed.ours_cpu),
            "predict_cpu_ms_p50": statistics.median(timed.theirs_cpu),
            "iou_to_predict_p5": percentile(agreement, 0.05),
            "clicks": len(ground.clicks),
            "model": REFERENCE,
        },
    )
    return [row], []


def _decode(decoder: OnnxDecoder, embedding: Embedding, click: npt.NDArray[np.float64]) -> Decoded:
    return decoder.decode(embedding, PromptSet(click[None], np.array([1])))


def _outlines(decoder: OnnxDecoder, embedding: Embedding, click: npt.NDArray[np.float64]) -> None:
    for candidate in _decode(decoder, embedding, click).candidates:
        polygon_from_logits(candidate.logits, Window(0, 0), width=SIDE, height=SIDE, points=[click])


def _predict(predictor: Any, click: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """The three masks and their low-resolution logits. SAM counts pixel middles as whole numbers."""
    masks, _, logits = predictor.predict(
        point_coords=(click - 0.5)[None], point_labels=np.array([1]), multimask_output=True
    )
    return masks.astype(bool), logits


def _agreement(decoded: Decoded, masks: npt.NDArray[np.bool_], logits: npt.NDArray[np.float32]) -> float:
    """Mean IoU of those of our candidates that `predict` gives too (outputs 1 to 3), at 256 x 256."""
    both = [
        (candidate.logits > 0, logits[candidate.index - 1] > 0) for candidate in decoded.candidates if candidate.index
    ]
    assert len(masks) == len(logits) == 3
    return statistics.mean(float((a & b).sum() / max(1, (a | b).sum())) for a, b in both)


def _over_the_wire() -> list[Row]:
    """Clicks of one browser on encoded ground: what comes on top of the decoding itself, and how large answers are."""
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder) / "data", worker=False) as stack:
        facts = json.loads(stack.python(SETUP, f"{VILLAGE}.tif"))
        walls, decodes, sizes, traces = asyncio.run(_click(stack.url, facts))
    p95 = partial(percentile, share=0.95)
    extra = {
        "click_p50_ms": percentile(walls, 0.5),
        "click_p95_ms": p95(walls),
        "decode_p50_ms": percentile(decodes, 0.5),
        "decode_p95_ms": p95(decodes),
        "vectorize_p50_ms": percentile(traces, 0.5),
        "vectorize_p95_ms": p95(traces),
        "bytes_p50": percentile(sizes, 0.5),
    }
    above = [wall - decode for wall, decode in zip(walls, decodes, strict=True)]
    return [
        Row(
            name="click.wire_overhead_p95_ms",
            value=p95(walls) - p95(decodes),
            goal=WIRE_GOAL_MS,
            better="lower",
            unit="ms",
            n=len(walls),
            spread=bootstrap(above, p95),
            extra=extra,
        ),
        Row(
            name="click.answer_bytes_p95",
            value=p95(sizes),
            goal=BYTES_GOAL,
            better="lower",
            unit="bytes",
            n=len(sizes),
            spread=bootstrap(sizes, p95),
        ),
    ]


async def _click(url: str, facts: dict[str, Any]) -> tuple[list[float], list[float], list[float], list[float]]:
    """Milliseconds of each click, of its decoding; bytes of its answer; milliseconds of its tracing."""
    walls: list[float] = []
    decodes: list[float] = []
    sizes: list[float] = []
    traces: list[float] = []
    places = _places()
    async with connected(url, facts["token"], facts["project"]) as browser:
        for number in range(-WARM_UP, CLICKS):
            lon, lat = places[number % len(places)]
            answer, wall = await browser.click(facts["raster"], (lon, lat, 1))
            if answer["type"] != "suggestion":
                raise RuntimeError(f"no suggestion at {lon}, {lat}: {answer}")
            if number >= 0:
                walls.append(wall)
                decodes.append(answer["ms"]["decode"])
                traces.append(answer["ms"]["vectorize"])
                sizes.append(float(browser.sizes[-1]))
    return walls, decodes, sizes, traces
