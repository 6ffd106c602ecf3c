"""The quality harness: where it clicks, how it measures, what it reads, and that a perfect model gets full marks."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyogrio
import pytest
import shapely
from affine import Affine
from pyproj import Transformer

from ml.decode import WHOLE, Candidate, Decoded, Look, PromptSet
from ml.quality import Picture, QualityError, Trial, summarise, try_picture, worst_first
from ml.quality.__main__ import main as quality_command
from ml.quality.clicks import next_click
from ml.quality.labelled import Pair, pairs_in, pictures_of
from ml.quality.measures import boundary_iou, clicks_needed, iou
from ml.quality.pictures import FIRST_SCENE, LEAST_PX2, held_out_scenes
from ml.quality.sheet import write_sheet
from tests.support.rasters import make_tif

Mask = npt.NDArray[np.bool_]
NEARLY = 1e-3  # the logits' grid rounds corners


def square(top: int, left: int, side: int, shape: tuple[int, int] = (1024, 1024)) -> Mask:
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


class TestClicks:
    def test_the_first_click_lies_in_the_middle_of_the_object(self) -> None:
        click = next_click(np.zeros((100, 100), bool), square(20, 40, 21, (100, 100)))
        assert click == ((50.5, 30.5), 1)

    def test_the_next_click_goes_to_the_wider_error_and_says_which_kind_it_is(self) -> None:
        truth = square(20, 20, 40, (200, 200))
        found = square(20, 20, 30, (200, 200)) | square(100, 100, 51, (200, 200))
        place, label = next_click(found, truth) or ((0.0, 0.0), -1)
        assert (place, label) == ((125.5, 125.5), 0)
        smaller = square(20, 20, 11, (200, 200)) | square(100, 100, 9, (200, 200))
        place, label = next_click(smaller, truth) or ((0.0, 0.0), -1)
        assert label == 1
        assert truth[int(place[1]), int(place[0])]
        assert not smaller[int(place[1]), int(place[0])]

    def test_nothing_is_clicked_when_all_is_right(self) -> None:
        truth = square(20, 20, 40, (100, 100))
        assert next_click(truth, truth) is None

    def test_the_middle_of_an_object_cut_by_the_picture_is_not_on_its_side(self) -> None:
        click = next_click(np.zeros((100, 100), bool), square(0, 0, 31, (100, 100)))
        assert click == ((15.5, 15.5), 1)

    def test_jittered_clicks_spread_over_the_deeper_half_of_one_error(self) -> None:
        truth = square(10, 10, 41, (200, 200)) | square(120, 120, 30, (200, 200))
        random = np.random.default_rng(3)
        places = [next_click(np.zeros_like(truth), truth, random) for _ in range(40)]
        xy = np.array([click[0] for click in places if click])
        assert len({tuple(place) for place in xy.tolist()}) > 20
        assert (np.abs(xy - 30.5) <= 11).all()  # of the wider part, 10..51, at least half as deep as its middle


class TestMeasures:
    def test_iou_of_known_squares(self) -> None:
        assert iou(square(0, 0, 10), square(0, 5, 10)) == pytest.approx(50 / 150)
        assert iou(square(0, 0, 10), square(50, 50, 10)) == 0
        assert iou(square(0, 0, 0), square(0, 0, 0)) == 1

    def test_boundary_iou_sees_an_edge_that_iou_does_not(self) -> None:
        truth, found = square(100, 100, 800), square(110, 110, 780)
        assert iou(found, truth) > 0.95
        assert boundary_iou(truth, truth, 500) == 1
        # bands of 10 px within 800 and 780 px do not touch: the second begins where the first ends
        assert boundary_iou(found, truth, 500) == 0

    def test_clicks_are_counted_to_the_first_that_was_good_enough(self) -> None:
        assert clicks_needed((0.5, 0.85, 0.7, 0.95), 0.8, 20) == 2
        assert clicks_needed((0.5, 0.85, 0.7, 0.95), 0.9, 20) == 4
        assert clicks_needed((0.5, 0.6), 0.8, 20) == 20


@dataclass
class Knowing:
    """A decoder that answers with the object under the first click or in the box, as well as the logits' grid can."""

    objects: tuple[Mask, ...]
    inverted: bool = False

    def __post_init__(self) -> None:
        self.model = SimpleNamespace(mask_feedback=True, prepare=object(), fields=(16, 64), far=8, stability=0.0)
        self.fed_back: list[bool] = []
        self.looks: list[Look] = []

    def prepare(self, embedding: Any) -> None:
        """Nothing is made beforehand."""

    def decode(
        self, embedding: Any, prompts: PromptSet, previous: npt.NDArray[np.float32] | None, look: Look
    ) -> Decoded:
        self.fed_back.append(previous is not None)
        self.looks.append(look)
        if prompts.box is not None:
            x, y = (prompts.box[0] + prompts.box[2]) / 2, (prompts.box[1] + prompts.box[3]) / 2
        else:
            x, y = prompts.points[0]
        full = np.zeros((1024, 1024), np.float32)
        for mask in self.objects:
            if mask[int(y), int(x)]:
                full[: mask.shape[0], : mask.shape[1]] = mask
        share = full.reshape(256, 4, 256, 4).mean((1, 3))
        logits = (share - 0.5).astype(np.float32) * (-20 if self.inverted else 20)
        shown = look.near
        return Decoded((Candidate(np.ascontiguousarray(logits[shown.spans(4)]), 1.0, 0),), 1.0, shown)


def tried(
    objects: tuple[Mask, ...], *, inverted: bool = False, most: int = 20, whole: bool = False
) -> tuple[list[Trial], Knowing]:
    pixels = np.full((*objects[0].shape, 3), 90, np.uint8)
    decoder = Knowing(objects, inverted)
    blind: Any = SimpleNamespace(encode=lambda pixels: None)
    asked: Any = decoder
    return try_picture(blind, asked, Picture("made", pixels, objects), most, whole=whole), decoder


class TestTrials:
    def test_a_model_that_knows_gets_full_marks(self) -> None:
        trials, _ = tried((square(100, 100, 200, (900, 700)), square(500, 400, 120, (900, 700))))
        result = summarise("knowing", "made", trials)
        assert result.objects == 2
        assert result["miou_1_click"].value == pytest.approx(1, abs=NEARLY)
        assert result["miou_5_clicks_jittered"].value == pytest.approx(1, abs=NEARLY)
        assert result["miou_box"].value == pytest.approx(1, abs=NEARLY)
        assert result["noc90"].value == 1
        assert result["never80"].value == 0

    def test_a_model_that_is_always_wrong_gets_none_and_all_clicks_are_spent(self) -> None:
        trials, decoder = tried((square(100, 100, 200),), inverted=True, most=7)
        result = summarise("wrong", "made", trials, most=7)
        assert result["miou_1_click"].value == pytest.approx(0, abs=NEARLY)
        assert result["noc80"].value == 7
        assert result["never80"].value == 1
        assert len(trials[0].centre) == 7
        # each later click of both rows goes with the last mask, however often a look at it grows
        assert decoder.fed_back.count(True) >= 2 * 6

    def test_a_small_object_is_looked_for_near_the_prompts_as_a_click_does_or_in_the_whole_window(self) -> None:
        parts, decoder = tried((square(500, 500, 60),))
        assert {look.near.cols for look in decoder.looks} == {16}
        all_of_it, whole_decoder = tried((square(500, 500, 60),), whole=True)
        assert {look.near for look in whole_decoder.looks} == {WHOLE}
        assert parts[0].centre[0] == all_of_it[0].centre[0] > 0.99

    def test_what_a_model_finds_beyond_a_small_picture_does_not_count(self) -> None:
        trials, _ = tried((square(0, 0, 300, (300, 320)),))
        assert trials[0].truth.shape == (300, 320)
        assert trials[0].centre[0] == pytest.approx(1, abs=NEARLY)

    def test_results_can_be_written_and_are_told_in_a_table(self) -> None:
        result = summarise("knowing", "made", tried((square(10, 10, 100),))[0])
        assert json.loads(json.dumps(result.as_json()))["figures"][0]["name"] == "miou_1_click"
        assert "knowing on made: 1 objects" in result.table()

    def test_nothing_tried_is_no_result(self) -> None:
        with pytest.raises(ValueError, match="nothing was tried"):
            summarise("m", "p", [])

    def test_the_sheet_shows_the_worst_twenty(self, tmp_path: Path) -> None:
        from PIL import Image

        good, _ = tried((square(100, 100, 200),))
        bad, _ = tried((square(300, 100, 200),), inverted=True)
        assert worst_first([*good, *bad])[0] is bad[0]
        write_sheet(worst_first([*good * 30, *bad]), tmp_path / "made" / "worst.png")
        sheet = np.asarray(Image.open(tmp_path / "made" / "worst.png").convert("RGB"))
        assert sheet.shape == (4 * 336, 5 * 320, 3)
        first, second = sheet[16:336, :320].astype(int), sheet[16:336, 320:640].astype(int)
        reddish = [(cell[..., 0] - cell[..., 1] > 40).mean() for cell in (first, second)]
        assert reddish[0] > 0.5 > reddish[1] > 0.1  # the wrong one: all but the object is marked; the right: the object


class TestHeldOut:
    def test_held_out_scenes_are_always_the_same_and_no_training_scene(self) -> None:
        run = pytest.importorskip("ml.training.run", reason="torch is not installed: .venv/bin/pip install '.[torch]'")
        first, again = (list(held_out_scenes(2, 3, side=256)) for _ in range(2))
        assert [one.name for one in first] == [one.name for one in again]
        assert all((a.pixels == b.pixels).all() for a, b in zip(first, again, strict=True))
        assert all(len(one.objects) <= 3 for one in first)
        assert all(mask.sum() >= LEAST_PX2 for one in first for mask in one.objects)
        assert FIRST_SCENE + 10_000 < run.FIRST_SEED


def written(folder: Path, name: str, rings: list[list[tuple[float, float]]], crs: str = "EPSG:32633") -> Path:
    """A GeoJSON of rings in pixels of a raster at 0.5 m, its corner at (500000, 5200000) in UTM 33."""
    to_lonlat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    polygons = []
    for ring in rings:
        places = [to_lonlat.transform(500_000 + 0.5 * col, 5_200_000 - 0.5 * row) for col, row in ring]
        polygons.append({"type": "Polygon", "coordinates": [[*places, places[0]]]})
    features = [{"type": "Feature", "properties": {}, "geometry": polygon} for polygon in polygons]
    path = folder / name
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


class TestFolders:
    def test_polygons_in_lonlat_lie_on_their_pixels(self, tmp_path: Path) -> None:
        values = np.zeros((3, 300, 400), np.uint8)
        values[:, 50:150, 100:250] = 200
        make_tif(tmp_path / "a.tif", values, transform=Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000), photometric="RGB")
        written(tmp_path, "a.geojson", [box(100, 50, 250, 150)])
        (picture,) = pictures_of(pairs_in(tmp_path)[0], most=10)
        assert picture.pixels.shape == (300, 400, 3)
        assert iou(picture.objects[0], picture.pixels[..., 0] > 100) > 0.99
        assert picture.pixels.max() == 200  # uint8 in colours is taken as it is

    def test_of_several_layers_the_one_with_polygons_is_read(self, tmp_path: Path) -> None:
        make_tif(tmp_path / "a.tif", np.zeros((3, 300, 400), np.uint8))
        geojson = written(tmp_path, "shapes.geojson", [box(100, 100, 200, 200)])
        meta, _, geometries, _ = pyogrio.raw.read(geojson)
        styles = np.array([shapely.to_wkb(shapely.Point(0, 0))], dtype=object)
        for layer, kind, what in (("styles", "Point", styles), ("shapes", "Polygon", geometries)):
            pyogrio.raw.write(
                tmp_path / "a.gpkg", what, [], [], layer=layer, crs=meta["crs"], geometry_type=kind, driver="GPKG"
            )
        (picture,) = pictures_of(Pair(tmp_path / "a.tif", tmp_path / "a.gpkg"), most=10)
        assert picture.objects[0].sum() == pytest.approx(10_000, rel=0.02)

    def test_a_smaller_window_shows_its_objects_larger(self, tmp_path: Path) -> None:
        values = np.zeros((1, 300, 400), np.uint16)
        values[:, 50:150, 100:250] = 4000
        make_tif(tmp_path / "a.tif", values, transform=Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000))
        pair = Pair(tmp_path / "a.tif", written(tmp_path, "b.geojson", [box(100, 50, 250, 150)]))
        (picture,) = pictures_of(pair.seen_through(256), most=10)
        assert picture.pixels.shape == (1024, 1024, 3)
        assert iou(picture.objects[0], picture.pixels[..., 1] > 127) > 0.98
        assert picture.objects[0].sum() == pytest.approx(150 * 100 * 16, rel=0.01)

    def test_objects_mostly_outside_the_raster_or_too_small_are_left_out(self, tmp_path: Path) -> None:
        make_tif(tmp_path / "a.tif", np.zeros((3, 300, 400), np.uint8))
        cut, speck, whole = box(380, 100, 480, 200), box(10, 10, 14, 14), box(100, 100, 200, 200)
        written(tmp_path, "a.geojson", [cut, speck, whole])
        (picture,) = pictures_of(pairs_in(tmp_path)[0], most=10)
        assert len(picture.objects) == 1
        assert picture.objects[0].sum() == pytest.approx(10_000, rel=0.02)

    def test_no_more_objects_than_asked_for_are_taken(self, tmp_path: Path) -> None:
        make_tif(tmp_path / "a.tif", np.zeros((3, 300, 400), np.uint8))
        written(tmp_path, "a.geojson", [box(40 * n, 40, 40 * n + 30, 70) for n in range(8)])
        assert sum(len(one.objects) for one in pictures_of(pairs_in(tmp_path)[0], most=3)) == 3

    def test_a_raster_finds_the_polygons_of_its_name_or_the_only_ones(self, tmp_path: Path) -> None:
        (tmp_path / "labels").mkdir()
        for name in ("a.tif", "b.tif", "labels/b.gpkg", "labels/c.geojson"):
            (tmp_path / name).touch()
        assert pairs_in(tmp_path) == [Pair(tmp_path / "b.tif", tmp_path / "labels" / "b.gpkg")]
        alone = tmp_path / "alone"
        alone.mkdir()
        for name in ("x.tif", "y.shp"):
            (alone / name).touch()
        assert pairs_in(alone) == [Pair(alone / "x.tif", alone / "y.shp")]

    def test_a_folder_without_pairs_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        (tmp_path / "a.tif").touch()
        with pytest.raises(QualityError, match="Put beside each raster"):
            pairs_in(tmp_path)

    def test_a_raster_without_a_place_is_refused(self, tmp_path: Path) -> None:
        make_tif(tmp_path / "a.tif", np.zeros((3, 300, 400), np.uint8), crs=None, transform=None)
        written(tmp_path, "a.geojson", [box(10, 10, 60, 60)])
        with pytest.raises(QualityError, match="does not say where it lies"), pytest.warns(UserWarning):
            list(pictures_of(pairs_in(tmp_path)[0], most=1))

    def test_a_file_that_is_no_vector_file_is_refused(self, tmp_path: Path) -> None:
        make_tif(tmp_path / "a.tif", np.zeros((3, 300, 400), np.uint8))
        (tmp_path / "a.geojson").write_text("no")
        with pytest.raises(QualityError, match="cannot be read as polygons"):
            list(pictures_of(pairs_in(tmp_path)[0], most=1))


def test_fewer_clicks_than_the_table_has_are_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ml.quality", "no-model", "--clicks", "3", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        quality_command()
    assert ended.value.code == 2
    assert "--clicks must be 5 or more" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
