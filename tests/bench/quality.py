"""How good the installed models' masks are, on held-out scenes and on real rasters that no training has seen.

BENCH_MODELS=name,name leaves the other models out; BENCH_FOLDER=folder measures on its rasters with polygons too.
"""

import json
import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from ml.decode import OnnxDecoder
from ml.encode import OnnxEncoder
from ml.models import InstalledModel, installed_models
from ml.quality import Picture, Result, Trial, summarise, try_picture, worst_first
from ml.quality.labelled import Pair, pairs_in, pictures_of
from ml.quality.pictures import held_out_scenes
from ml.quality.sheet import write_sheet
from ml.quality.trials import MOST_CLICKS
from tests.bench.harness import ROOT, Row

OUT = ROOT / "var" / "bench" / "quality"
MODELS = (ROOT / "var" / "data" / "models", ROOT / "fixtures" / "models")
SCENES, OBJECTS_EACH, REAL_OBJECTS = 24, 5, 40
# the bars of the small model: name of the figure, what is wanted of it, which way, unit
GOALS = {
    "miou_1_click": (0.65, "higher", "IoU"),
    "miou_3_clicks": (0.75, "higher", "IoU"),
    "miou_5_clicks": (0.75, "higher", "IoU"),
    "miou_box": (0.78, "higher", "IoU"),
    "noc80": (5.0, "lower", "clicks"),
    "noc90": (float(MOST_CLICKS), "lower", "clicks"),
}
# real rasters under EDGEWISE_TEST_DATA, all of them held out: raster, polygons, pixels of a window's side
REAL = {
    "roofs-zanzibar": (
        "buildings-zanzibar-oam/images/tanzania_sample.tif",
        "buildings-zanzibar-oam/labels/tanzania_sample.geojson", 1024,
    ),
    "roofs-atlanta-pan": (
        "atlanta-pan-spacenet/sample_geotiff.tif", "atlanta-pan-spacenet/geotiff_labels.geojson", 1024,
    ),
    "classes-vegas": (
        "vegas-multiclass-spacenet/tiff_3channel_uint8.tif",
        "vegas-multiclass-spacenet/tiff_3channel_uint8.geojson", 1024,
    ),
    "deadwood-finland": ("deadwood-finland-uav/R70C21.tif", "deadwood-finland-uav/R70C21.gpkg", 1024),
    "fields-flanders": (
        "fields-flanders-s2/input_raster/BEFL-TEST-s2_2023-05-01_2023-07-01_B08-B04-B03_min_byte.tif",
        "fields-flanders-s2/labels/fields_BEFL-s2-fields-2023_polygons.gpkg", 256,
    ),
}  # fmt: skip


def run() -> tuple[list[Row], list[str]]:
    """The rows `quality.<model>.…` and, on real rasters, `quality.<model>.real.<source>.…`."""
    wanted = {name for name in os.environ.get("BENCH_MODELS", "").split(",") if name}
    models = [model for model in installed_models(MODELS) if not wanted or model.name in wanted]
    data = os.environ.get("EDGEWISE_TEST_DATA")
    rows: list[Row] = []
    left_out = [] if data else ["quality on real rasters; set EDGEWISE_TEST_DATA to the folder that holds them"]
    for model in models:
        scenes = _measured(model, "held-out", held_out_scenes(SCENES, OBJECTS_EACH))
        rows += [*_rows(f"quality.{model.name}", scenes), _least_gain(f"quality.{model.name}", scenes)]
        for name, pictures in _real(Path(data) if data else None):
            rows += _rows(f"quality.{model.name}.real.{name}", _measured(model, name, pictures))
    return rows, left_out


def _real(data: Path | None) -> Iterator[tuple[str, Iterator[Picture]]]:
    if data:
        for name, (raster, polygons, window) in REAL.items():
            yield name, pictures_of(Pair(data / raster, data / polygons, window), REAL_OBJECTS)
    if folder := os.environ.get("BENCH_FOLDER"):
        for pair in pairs_in(Path(folder)):
            yield pair.raster.stem, pictures_of(pair, REAL_OBJECTS)


def _measured(model: InstalledModel, name: str, pictures: Iterable[Picture]) -> Result:
    """Tries them all, and writes the figures and the contact sheet of the worst twenty."""
    encoder, decoder = OnnxEncoder(model, threads=2), OnnxDecoder(model, threads=2)
    trials: list[Trial] = [trial for picture in pictures for trial in try_picture(encoder, decoder, picture)]
    result = summarise(model.name, name, trials)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{model.name}-{name}.json").write_text(json.dumps(result.as_json(), indent=1))
    write_sheet(worst_first(trials), OUT / f"{model.name}-{name}.png")
    return result


def _rows(prefix: str, result: Result) -> list[Row]:
    return [
        Row(
            name=f"{prefix}.{name}",
            value=result[name].value,
            goal=goal,
            better=better,
            unit=unit,
            n=result.objects,
            spread=(result[name].low, result[name].high),
            extra={figure.name: figure.value for figure in result.figures} if name == "miou_1_click" else {},
        )
        for name, (goal, better, unit) in GOALS.items()
    ]


def _least_gain(prefix: str, result: Result) -> Row:
    """By how much the least useful of the second to fifth click raised the mean IoU."""
    means = [result[f"miou_{number}_click{'s' if number > 1 else ''}"].value for number in range(1, 6)]
    gains = [after - before for before, after in pairwise(means)]
    return Row(f"{prefix}.least_gain", min(gains), 0.0, "higher", "IoU", result.objects, (min(gains), max(gains)))
