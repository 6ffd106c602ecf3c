"""Raster tiles against titiler: the same COGs, the same tiles, each behind one uvicorn process, asked by turns."""

import io
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import morecantile
import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.bench.grounds import NO_REAL, REAL, VILLAGE
from tests.bench.harness import ROOT, Gate, Row, percentile, processor_ms, ratio
from tests.support.server import free_port, running_stack

GOAL = 1.0
LEAST_PSNR = 40.0  # dB, goals.md
EQUAL = 100.0  # dB that equal pixels are noted as
LEAST_SAME_SHAPE = 0.999
MOST_TILES = 120  # of one raster
EDGE_SHARE = 0.01  # of a raster's side, where the two do not quite agree what still touches it
SMOOTH = {"resampling": "bilinear", "reproject": "bilinear"}  # as ours; titiler's own choice is the nearest pixel
START_SECONDS = 60
SETUP = """
import json, sys
from pathlib import Path
from django.conf import settings
from backend.accounts.services import create_token
from tests.support.rasters import prepared
from tests.support.worlds import make_world
world = make_world("Bench")
rasters = []
for path in sys.argv[1:]:
    raster = prepared(world.project, world.owner, Path(path))
    rasters.append({"id": str(raster.id), "cog": str(settings.DATA_DIR / raster.cog_path), "recipe": raster.recipe,
                    "bounds": raster.footprint.extent, "zooms": [raster.minzoom, raster.maxzoom]})
print(json.dumps({"rasters": rasters, "token": create_token(world.viewer, "t", None)[1]}))
"""
Ask = Callable[["_Tile", str], httpx.Response]


@dataclass(frozen=True)
class _Tile:
    raster: dict[str, Any]
    z: int
    x: int
    y: int


@dataclass(frozen=True)
class _Passes:
    """Of each request of both sides the milliseconds, and those of the server's processor time."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    ours_cpu: list[float] = field(default_factory=list)
    theirs_cpu: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Side:
    ask: Ask
    pid: int


def run() -> tuple[list[Row], list[str]]:
    """The rows `tiles.cold_ratio` and `tiles.warm_ratio`; rasters in UTM, so that every tile is warped."""
    if find_spec("titiler") is None:
        return [], ["tiles.*: titiler is not installed; `make bench` installs it"]
    data = os.environ.get("EDGEWISE_TEST_DATA", "")
    real = {name.split("/")[0]: Path(data, name) for name in REAL if data}
    files = {VILLAGE.stem: VILLAGE} | {name: path for name, path in real.items() if path.is_file()}
    left_out = [] if len(files) > 1 else [f"tiles: {NO_REAL}"]
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder) / "data", worker=False) as stack:
        facts = json.loads(stack.python(SETUP, *map(str, files.values())))
        headers = {"Authorization": f"Bearer {facts['token']}"}
        with (
            _titiler() as (url, pid),
            httpx.Client(base_url=stack.url, headers=headers, timeout=30) as ours,
            httpx.Client(base_url=url, timeout=30) as theirs,
        ):
            assert stack.web is not None
            sides = _Side(_ours(ours), stack.web.pid), _Side(_theirs(theirs), pid)
            return _measure(*sides, facts["rasters"], tuple(files)), left_out


def _measure(ours: _Side, theirs: _Side, rasters: Sequence[dict[str, Any]], inputs: tuple[str, ...]) -> list[Row]:
    tiles = _tiles(rasters)
    for side in (ours, theirs):  # the libraries are loaded
        side.ask(tiles[0], "png").raise_for_status()
    cold = _pass(ours, theirs, tiles[1:], "png")
    warm = _pass(ours, theirs, tiles[1:], "png")
    usual = _pass(ours, theirs, tiles[1::3], "")
    answers = [(ours.ask(tile, "png"), theirs.ask(tile, "png")) for tile in tiles[::2]]
    looks = [(_pixels(our), _pixels(their)) for our, their in answers]
    gates = (
        Gate("psnr_p5_db", percentile([_psnr(*look) for look in looks], 0.05), LEAST_PSNR),
        Gate("same_shape_p5", percentile([_same_shape(*look) for look in looks], 0.05), LEAST_SAME_SHAPE),
    )
    extra = {
        "tiles": len(tiles),
        "ours_png_bytes_p50": percentile([len(our.content) for our, _ in answers], 0.5),
        "titiler_png_bytes_p50": percentile([len(their.content) for _, their in answers], 0.5),
        # WEBP; titiler: JPEG, or PNG where there is a hole
        "usual_formats_ratio": ratio(usual.theirs_cpu, usual.ours_cpu)[0],
    }
    rows = (("tiles.cold_ratio", cold), ("tiles.warm_ratio", warm))
    return [_row(name, passes, gates, inputs, extra) for name, passes in rows]


def _pass(ours: _Side, theirs: _Side, tiles: Sequence[_Tile], kind: str) -> _Passes:
    """Each tile from both, one after the other; who is first changes."""
    passes = _Passes()
    pair = ((ours, passes.ours, passes.ours_cpu), (theirs, passes.theirs, passes.theirs_cpu))
    for index, tile in enumerate(tiles):
        for side, walls, cpus in pair if index % 2 else pair[::-1]:
            before, began = processor_ms(side.pid), time.perf_counter()
            side.ask(tile, kind).raise_for_status()
            walls.append((time.perf_counter() - began) * 1000)
            cpus.append(processor_ms(side.pid) - before)
    return passes


def _row(name: str, passes: _Passes, gates: tuple[Gate, ...], inputs: tuple[str, ...], extra: dict[str, Any]) -> Row:
    """The ratio of processor time; that of waiting is beside it."""
    value, spread = ratio(passes.theirs_cpu, passes.ours_cpu)
    own = {
        "wall_ratio": ratio(passes.theirs, passes.ours)[0],
        "ours_cpu_ms_p50": percentile(passes.ours_cpu, 0.5),
        "ours_cpu_ms_p95": percentile(passes.ours_cpu, 0.95),
        "titiler_cpu_ms_p50": percentile(passes.theirs_cpu, 0.5),
        "titiler_cpu_ms_p95": percentile(passes.theirs_cpu, 0.95),
        "ours_wall_ms_p50": percentile(passes.ours, 0.5),
        "ours_wall_ms_p95": percentile(passes.ours, 0.95),
        "titiler_wall_ms_p50": percentile(passes.theirs, 0.5),
        "titiler_wall_ms_p95": percentile(passes.theirs, 0.95),
    }
    return Row(name, value, GOAL, "higher", "x", len(passes.ours), spread, gates, inputs, own | extra)


def _ours(client: httpx.Client) -> Ask:
    def ask(tile: _Tile, kind: str) -> httpx.Response:
        address = f"/api/rasters/{tile.raster['id']}/tiles/{tile.z}/{tile.x}/{tile.y}"
        return client.get(address, params={"f": kind} if kind else {})

    return ask


def _theirs(client: httpx.Client) -> Ask:
    """The same bands through the same stretch."""

    def ask(tile: _Tile, kind: str) -> httpx.Response:
        recipe = tile.raster["recipe"]
        asked: dict[str, Any] = {"url": tile.raster["cog"], **SMOOTH, "bidx": recipe["bands"]}
        asked["rescale"] = [f"{low},{high}" for low, high in recipe["ranges"]]
        suffix = f".{kind}" if kind else ""
        return client.get(f"/tiles/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}{suffix}", params=asked)

    return ask


def _tiles(rasters: Sequence[dict[str, Any]]) -> list[_Tile]:
    """Of each raster the tiles from the whole of it down to its own pixels, all in an order of their own."""
    grid, rng = morecantile.tms.get("WebMercatorQuad"), np.random.default_rng(0)
    found: list[_Tile] = []
    for raster in rasters:
        low, high = raster["zooms"]
        west, south, east, north = raster["bounds"]
        across, down = (east - west) * EDGE_SHARE, (north - south) * EDGE_SHARE
        inner = (west + across, south + down, east - across, north - down)
        of_it = [_Tile(raster, tile.z, tile.x, tile.y) for tile in grid.tiles(*inner, zooms=list(range(low, high + 1)))]
        found += [of_it[i] for i in rng.permutation(len(of_it))[:MOST_TILES]]
    return [found[i] for i in rng.permutation(len(found))]


def _pixels(answer: httpx.Response) -> npt.NDArray[np.float64]:
    answer.raise_for_status()
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"), np.float64)


def _psnr(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> float:
    """In dB, over what both show. https://en.wikipedia.org/wiki/Peak_signal-to-noise_ratio"""
    both = (ours[..., 3] > 0) & (theirs[..., 3] > 0)
    if not both.any():
        return EQUAL
    error = float(np.mean((ours[both][:, :3] - theirs[both][:, :3]) ** 2))
    return EQUAL if error == 0 else min(EQUAL, 10 * math.log10(255**2 / error))


def _same_shape(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> float:
    """The share of pixels that both show, or neither."""
    return float(((ours[..., 3] > 0) == (theirs[..., 3] > 0)).mean())


@contextmanager
def _titiler() -> Iterator[tuple[str, int]]:
    """Its address and its process, set up as https://developmentseed.org/titiler/advanced/performance_tuning/ says."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.bench.titiler_app:app", "--log-level", "error", "--loop"]
    tuned = {
        "GDAL_CACHEMAX": "200",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_NUM_THREADS": "1",
        "VSI_CACHE": "TRUE",
        "VSI_CACHE_SIZE": "5000000",
    }
    process = Popen([*command, "uvloop", "--port", str(port)], cwd=ROOT, env={**os.environ, **tuned})
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
        while True:
            try:
                httpx.get(f"{url}/ready", timeout=5).raise_for_status()
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("titiler does not start") from None
                time.sleep(0.2)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()
