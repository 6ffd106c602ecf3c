"""Raster tiles against titiler: the same COG, the same tiles, each behind one uvicorn process, asked by turns."""

import io
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import morecantile
import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.bench.harness import ROOT, Gate, Row, percentile, ratio
from tests.support.server import free_port, running_stack

GOAL = 1.0
LEAST_PSNR = 40.0  # dB, goals.md
EQUAL = 100.0  # what equal pixels are noted as
VILLAGE = ROOT / "fixtures" / "demo" / "edgewick-2025-05.tif"
SMOOTH = {"resampling": "bilinear", "reproject": "bilinear"}  # as ours; titiler's own choice is the nearest pixel
START_SECONDS = 60
WARM_ROUNDS = 3
SETUP = """
import json, sys
from pathlib import Path
from django.conf import settings
from backend.accounts.services import create_token
from backend.rasters.models import Raster
from tests.support.rasters import prepared
from tests.support.worlds import make_world
world = make_world("Bench")
raster = prepared(world.project, world.owner, Path(sys.argv[1]))
bounds = raster.footprint.extent
print(json.dumps({"raster": str(raster.id), "cog": str(settings.DATA_DIR / raster.cog_path), "bounds": bounds,
                  "token": create_token(world.viewer, "t", None)[1]}))
"""


def run() -> tuple[list[Row], list[str]]:
    """The rows `tiles.cold_ratio` and `tiles.warm_ratio`; a UTM raster, so that every tile is warped."""
    if find_spec("titiler") is None:
        return [], ["tiles.*: titiler is not installed; `make bench` installs it"]
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder) / "data", worker=False) as stack:
        facts = json.loads(stack.python(SETUP, str(VILLAGE)))
        with _titiler(facts["cog"]) as titiler:
            ours = httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {facts['token']}"}, timeout=30)
            theirs = httpx.Client(base_url=titiler, timeout=30)
            with ours, theirs:
                return _measure(ours, theirs, facts), []


def _measure(ours: httpx.Client, theirs: httpx.Client, facts: dict[str, Any]) -> list[Row]:
    tiles = _tiles(facts["bounds"])

    def our(tile: morecantile.Tile) -> httpx.Response:
        return ours.get(f"/api/rasters/{facts['raster']}/tiles/{tile.z}/{tile.x}/{tile.y}", params={"f": "png"})

    def their(tile: morecantile.Tile) -> httpx.Response:
        return theirs.get(f"/tiles/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.png", params=SMOOTH)

    for ask in (our, their):  # both have opened the file
        ask(tiles[0]).raise_for_status()
    quality = [_psnr(_pixels(our(tile)), _pixels(their(tile))) for tile in tiles[:: max(1, len(tiles) // 40)]]
    gate = Gate("psnr_p5_db", percentile(quality, 0.05), LEAST_PSNR)
    cold: tuple[list[float], list[float]] = ([], [])
    warm: tuple[list[float], list[float]] = ([], [])
    fresh = [tile for index, tile in enumerate(tiles[1:], 1) if index % max(1, len(tiles) // 40)]
    for number in range(1 + WARM_ROUNDS):
        for index, tile in enumerate(fresh):
            for ask, kept in ((our, 0), (their, 1)) if index % 2 else ((their, 1), (our, 0)):
                began = time.perf_counter()
                ask(tile).raise_for_status()
                (warm if number else cold)[kept].append((time.perf_counter() - began) * 1000)
    return [_row("tiles.cold_ratio", cold, gate), _row("tiles.warm_ratio", warm, gate)]


def _row(name: str, kept: tuple[list[float], list[float]], gate: Gate) -> Row:
    value, spread = ratio(kept[1], kept[0])
    extra = {
        "ours_p50_ms": statistics.median(kept[0]),
        "ours_p95_ms": percentile(kept[0], 0.95),
        "titiler_p50_ms": statistics.median(kept[1]),
        "titiler_p95_ms": percentile(kept[1], 0.95),
    }
    return Row(name, value, GOAL, "higher", "x", len(kept[0]), spread, (gate,), extra)


def _tiles(bounds: list[float]) -> list[morecantile.Tile]:
    """Every tile of the raster from the whole of it down to its own pixels, in an order of their own."""
    grid = morecantile.tms.get("WebMercatorQuad")
    found = list(grid.tiles(*bounds, zooms=[14, 15, 16, 17, 18, 19]))
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))]


def _pixels(answer: httpx.Response) -> npt.NDArray[np.float64]:
    answer.raise_for_status()
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"), np.float64)


def _psnr(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> float:
    """In dB, over what both show. https://en.wikipedia.org/wiki/Peak_signal-to-noise_ratio"""
    both = (ours[..., 3] > 0) & (theirs[..., 3] > 0)
    if not both.any():
        return EQUAL
    error = float(np.mean((ours[both][:, :3] - theirs[both][:, :3]) ** 2))
    return EQUAL if error == 0 else 10 * math.log10(255**2 / error)


@contextmanager
def _titiler(cog: str) -> Iterator[str]:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "tests.bench.titiler_app:app",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    # titiler's documentation: https://developmentseed.org/titiler/advanced/performance_tuning/
    tuned = {"GDAL_CACHEMAX": "200", "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **tuned, "BENCH_COG": cog})
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                httpx.get(f"{url}/info", timeout=5).raise_for_status()
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("titiler does not start") from None
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()
