"""Clicks on objects larger than a window, with the shipped model, on a raster of a dark field and a canal."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from rasterio.features import rasterize
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from backend.core.errors import EdgewiseError
from backend.encoding import engine
from backend.encoding.services import encode_window
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_frame
from backend.segmentation import remembered, services
from backend.segmentation.polylines import decode_line
from backend.segmentation.services import NotEncodedError, Prompts, suggest
from ml.decode import OnnxDecoder
from ml.vectorize import Recipe
from ml.windows import Window
from tests.support.rasters import lonlat_of, make_tif, prepared
from tests.support.spanning import iou
from tests.support.worlds import World, make_world

pytestmark = pytest.mark.django_db

WIDTH, HEIGHT = 2600, 1100
FIELD, CANAL = box(600, 200, 1300, 380), box(-1, 800, WIDTH + 1, 870)
WEST, MIDDLE, COARSE = Window(0, 0), Window(896, 0), Window(0, 0, 4096)
DARK, GROUND = (16, 76, 136), (110, 105, 100)  # two plain colours


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def raster(world: World, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Raster:
    monkeypatch.setattr(remembered, "SECONDS", 0.0)
    settings.DATA_DIR = tmp_path / "data"
    there = rasterize([(FIELD, 1), (CANAL, 1)], (HEIGHT, WIDTH), dtype="uint8").astype(bool)
    pixels = np.where(there, np.array(DARK)[:, None, None], np.array(GROUND)[:, None, None]).astype(np.uint8)
    return prepared(world.project, world.owner, make_tif(tmp_path / "field.tif", pixels))


def encode(raster: Raster, *windows: Window) -> None:
    for window in windows:
        assert encode_window(raster, window, engine.default_model()) == "ready"


def click(raster: Raster, *places: tuple[float, float], previous: Any = None, **how: Any) -> Any:
    points = tuple((*lonlat_of(raster, *place), 1) for place in places)
    return suggest(raster, Prompts(points), previous, **how)


def outline(raster: Raster, suggestion: Any) -> BaseGeometry:
    """The chosen candidate in the raster's pixels."""
    said = suggestion.candidates[suggestion.chosen]
    parts = [[decode_line(ring, said["digits"]) for ring in rings] for rings in said["rings"]]
    lonlat = shapely.union_all([Polygon(outer, holes) for outer, *holes in parts])
    return raster_frame(raster).pixel_geometry_from_lonlat(lonlat)


def places(suggestion: Any) -> list[Window]:
    return [Window(one["col"], one["row"], one["size"]) for one in suggestion.windows]


def test_a_field_over_two_windows_is_answered_in_part_and_whole_once_the_other_is_encoded(raster: Raster) -> None:
    encode(raster, WEST)
    part = click(raster, (750, 290))

    assert (places(part), part.missing) == ([WEST], (MIDDLE,))
    assert iou(outline(raster, part), FIELD.intersection(box(0, 0, 1024, 1100))) > 0.9

    encode(raster, MIDDLE)
    whole = click(raster, (750, 290))

    assert (places(whole), whole.missing) == ([WEST, MIDDLE], ())
    assert iou(outline(raster, whole), FIELD) > 0.9
    assert isinstance(outline(raster, whole), Polygon)


def test_what_cannot_be_encoded_ends_the_object(raster: Raster) -> None:
    encode(raster, WEST)

    suggestion = click(raster, (750, 290), without={MIDDLE})

    assert (places(suggestion), suggestion.missing) == ([WEST], ())
    assert len(suggestion.candidates) >= 1


def test_a_hover_asks_for_no_further_window(raster: Raster) -> None:
    encode(raster, WEST)

    suggestion = click(raster, (750, 290), hover=True)

    assert (places(suggestion), suggestion.missing) == ([WEST], ())


def test_a_further_click_on_a_joined_object_stays_in_the_window_it_began_in(raster: Raster) -> None:
    """Both clicks together would be held best by a window about them, which is not encoded."""
    encode(raster, WEST, MIDDLE)
    first = click(raster, (750, 290))

    again = click(raster, (750, 290), (1250, 290), previous=first.memory)

    assert places(again) == [WEST, MIDDLE]
    assert iou(outline(raster, again), FIELD) > 0.85


def test_another_recipe_draws_a_joined_object_anew_without_decoding(
    raster: Raster, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode(raster, WEST)
    part = click(raster, (750, 290))
    encode(raster, MIDDLE)
    whole = click(raster, (750, 290), previous=part.memory, wanted=part.candidates[part.chosen]["index"])
    assert places(whole) == [WEST, MIDDLE], "what was known in part is followed again"
    shown = whole.candidates[whole.chosen]["index"]
    decodes: list[Any] = []
    answer = OnnxDecoder.answer

    def counted(*given: Any, **how: Any) -> Any:
        decodes.append(given)
        return answer(*given, **how)

    monkeypatch.setattr(OnnxDecoder, "answer", counted)

    points = ((*lonlat_of(raster, 750, 290), 1),)
    coarse = Prompts(points, recipe=Recipe("douglas_peucker", 20.0))
    anew = suggest(raster, coarse, whole.memory, wanted=shown)

    assert decodes == []
    assert places(anew) == [WEST, MIDDLE]
    assert iou(outline(raster, anew), FIELD) > 0.8
    assert shapely.get_num_coordinates(outline(raster, anew)) < shapely.get_num_coordinates(outline(raster, whole))


def test_clicks_further_apart_than_a_window_are_all_part_of_the_answer(raster: Raster) -> None:
    encode(raster, WEST, MIDDLE, Window(1576, 0))

    suggestion = click(raster, (300, 835), (2300, 835))

    assert {WEST, Window(1576, 0)} <= set(places(suggestion))
    assert iou(outline(raster, suggestion), CANAL.intersection(box(0, 0, WIDTH, HEIGHT))) > 0.6


def test_a_box_larger_than_a_window_goes_straight_to_a_coarser_one(raster: Raster) -> None:
    west, north = lonlat_of(raster, 10, 780)
    east, south = lonlat_of(raster, 2590, 890)
    prompts = Prompts((), (west, south, east, north))

    with pytest.raises(NotEncodedError) as missing:
        suggest(raster, prompts)
    assert missing.value.window == COARSE

    encode(raster, COARSE)
    suggestion = suggest(raster, prompts)
    assert (places(suggestion), suggestion.missing) == ([COARSE], ())
    found = outline(raster, suggestion)
    assert found.bounds[0] < 100
    assert found.bounds[2] > 2500, "it goes from end to end"
    assert iou(found, CANAL.intersection(box(10, 780, 2590, 890))) > 0.4, "four cells thin there"


def test_a_raster_of_another_project_is_no_raster_for_prompts(world: World, raster: Raster) -> None:
    other = make_world("Elsewhere").project

    with pytest.raises(EdgewiseError, match="raster"):
        services.raster_for_prompts(raster.id, other.id)
    assert services.raster_known(raster.id, other.id) is None
    assert services.raster_for_prompts(raster.id, world.project.id) == raster
