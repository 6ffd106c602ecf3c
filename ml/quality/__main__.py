"""Measures a model: `python -m ml.quality MODEL_FOLDER --out FOLDER [--folder RASTERS_WITH_POLYGONS]`."""

import argparse
import json
import sys
from itertools import chain
from pathlib import Path

from ml.decode import OnnxDecoder
from ml.encode import OnnxEncoder
from ml.models import ModelError, load_model
from ml.quality.labelled import pairs_in, pictures_of
from ml.quality.pictures import QualityError, held_out_scenes
from ml.quality.results import summarise, worst_first
from ml.quality.sheet import write_sheet
from ml.quality.trials import LEAST_CLICKS, MOST_CLICKS, try_picture
from ml.windows import SIZE


def main() -> int:
    """The command; 1, with one line that says why, when nothing can be measured."""
    parser = argparse.ArgumentParser(prog="python -m ml.quality", description=__doc__)
    parser.add_argument("model", type=Path, help="a folder with model.json")
    parser.add_argument("--folder", type=Path, help="rasters, each with its polygons in a file of the same name")
    parser.add_argument("--window", type=int, default=SIZE, help="raster pixels a side of what the model sees")
    parser.add_argument("--objects", type=int, default=100, help="at most so many of each raster")
    parser.add_argument(
        "--scenes", type=int, default=24, help="without a folder: so many held-out scenes, 5 objects each"
    )
    parser.add_argument("--clicks", type=int, default=MOST_CLICKS, help="at most so many for an object")
    parser.add_argument("--whole", action="store_true", help="look at whole windows, not at the parts that clicks do")
    parser.add_argument("--out", type=Path, required=True, help="where quality.json and worst.png go")
    given = parser.parse_args()
    if given.clicks < LEAST_CLICKS:
        parser.error(f"--clicks must be {LEAST_CLICKS} or more: the table has the mean after each of the first ones")
    try:
        model = load_model(given.model)
        encoder, decoder = OnnxEncoder(model, threads=2), OnnxDecoder(model, threads=2)
        if given.folder:
            pairs = [pair.seen_through(given.window) for pair in pairs_in(given.folder)]
            pictures = chain.from_iterable(pictures_of(pair, given.objects) for pair in pairs)
        else:
            pictures = chain(held_out_scenes(given.scenes, 5))
        trials = [
            trial for one in pictures for trial in try_picture(encoder, decoder, one, given.clicks, whole=given.whole)
        ]
        if not trials:
            raise QualityError(
                "No polygon lies whole in its raster and is large enough to be clicked on. Choose others."
            )
    except (ModelError, QualityError) as error:
        print(error, file=sys.stderr)
        return 1
    result = summarise(model.name, given.folder.name if given.folder else "held-out scenes", trials, given.clicks)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "quality.json").write_text(json.dumps(result.as_json(), indent=1))
    write_sheet(worst_first(trials), given.out / "worst.png")
    print(result.table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
