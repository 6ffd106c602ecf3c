"""A building is drawn along the walls of stored ones of its class near the click, where its recipe asks for that."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from shapely import affinity
from shapely.geometry import Polygon, box, mapping

from backend.annotations.models import Annotation
from backend.annotations.selectors import shapes_near
from backend.outlines import masks
from backend.projects.models import LabelClass
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_frame
from backend.segmentation import groups, outlines
from backend.segmentation.groups import beside
from backend.segmentation.prompting import placed
from backend.segmentation.services import Prompts, suggest
from ml.embeddings import Mask
from ml.vectorize import wall_directions
from ml.windows import Window
from tests.support.scenes import ROOFS, bare_raster, make_scene
from tests.support.worlds import World, client_of, make_world, put_annotation
from tests.unit.ml.test_outlining import logits_of

pytestmark = pytest.mark.django_db

FOLLOWING = {"form": "right_angles", "group_directions": True}
HUT = (400, 400)  # px, where it is clicked


@pytest.fixture
def world() -> World:
    made = make_world()
    LabelClass.objects.filter(id=made.field.id).update(recipe=FOLLOWING)
    groups.forget_shapes()
    return made


@pytest.fixture
def raster(world: World, tmp_path: Path, settings: Any) -> Raster:
    """A row without a file, of half a metre a pixel."""
    settings.DATA_DIR = tmp_path / "data"
    return bare_raster(world.project, world.owner)


def turned(degrees: float, at: tuple[float, float], half: tuple[float, float] = (30, 20)) -> Polygon:
    """A rectangle in pixels."""
    whole = box(at[0] - half[0], at[1] - half[1], at[0] + half[0], at[1] + half[1])
    return affinity.rotate(whole, degrees)


def store(world: World, there: Raster, shape: Polygon, **more: Any) -> dict[str, Any]:
    lonlat = raster_frame(there).lonlat_geometry_from_pixel(shape)
    return put_annotation(world, world.annotator, geometry=mapping(lonlat), **more)


def read(raster: Raster, label_class: UUID, at: tuple[float, float] = HUT) -> list[float]:
    """Degrees of the walls that a click gets, nearest first."""
    frame = raster_frame(raster)
    lon, lat = frame.lonlat_from_pixel([at])[0].tolist()
    collect = groups.asked_beside(raster, label_class, placed(frame, Prompts(((lon, lat, 1),))))
    return [round(math.degrees(one.radians), 2) for one in collect()]


def turn_of(shape: Any) -> float:
    return math.degrees(wall_directions(shape, (1.0, 1.0))[0].radians)


@pytest.mark.parametrize(
    ("whose", "asks", "turn"),
    [("own class", True, 30.6), ("own class", False, 33.0), ("other class", True, 33.0), ("deleted", True, 33.0)],
)
def test_a_clicks_walls_follow_those_of_stored_neighbours(
    world: World, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, whose: str, asks: bool, turn: float
) -> None:
    settings.DATA_DIR = tmp_path / "data"
    scene = make_scene(world.project, world.owner, tmp_path)
    LabelClass.objects.filter(id=world.field.id).update(recipe={**FOLLOWING, "group_directions": asks})
    label_class = world.building if whose == "other class" else world.field
    for away in (90, 130, 170, 210):
        beside = turned(30, (ROOFS[0][0] + away, ROOFS[0][1]), (60, 100))
        row = store(world, scene.raster, beside, label_class=str(label_class.id))
        if whose == "deleted":
            guard = {"version": 1, "edit_id": str(uuid4())}
            assert client_of(world.annotator).delete(f"/api/annotations/{row['id']}", guard).status_code == 200
    drawn: list[Any] = []
    by_recipe = outlines.outline

    def hut(logits: Any, placing: Any, *rest: Any, **how: Any) -> Any:
        """As if the model saw a hut of 33 degrees."""
        made = by_recipe(logits_of(turned(33, (520, 520), (60, 40))), placing, *rest, **how)
        drawn.append(made)
        return made

    monkeypatch.setattr(outlines, "outline", hut)

    suggest(scene.raster, Prompts(((*scene.roofs[0], 1),), None, world.field.id))

    assert turn_of(drawn[0].shape) == pytest.approx(turn, abs=0.3)


def test_only_the_nearest_within_reach_count_nearest_first(world: World, raster: Raster) -> None:
    for number in range(14):
        store(world, raster, turned(10 + number, (HUT[0] + 10 * number, HUT[1]), (4, 2)))
    store(world, raster, turned(80, (HUT[0], HUT[1] + 230)))

    found = read(raster, world.field.id)

    assert found == [10.0 + number for number in range(groups.MOST)]
    assert read(raster, world.field.id, (HUT[0], HUT[1] + 380)) == [80.0]
    assert read(raster, world.building.id) == []


def test_what_was_read_serves_the_clicks_around_until_an_annotation_changes(
    world: World, raster: Raster, django_assert_num_queries: Callable[[int], Any]
) -> None:
    store(world, raster, turned(20, (450, 400)))
    assert read(raster, world.field.id) == [20.0]
    store(world, raster, turned(25, (350, 400)))

    with django_assert_num_queries(0):
        assert read(raster, world.field.id, (410, 410)) == [20.0]
    groups.forget_shapes()
    with django_assert_num_queries(1):
        assert read(raster, world.field.id, (399, 400)) == [25.0, 20.0]


def test_shapes_are_found_nearest_first_without_those_that_are_no_neighbours(world: World, raster: Raster) -> None:
    own, far, near = (store(world, raster, turned(0, at)) for at in (HUT, (520, 400), (460, 400)))
    ragged = Polygon([(400 + 9 * math.cos(a), 500 + 9 * math.sin(a)) for a in np.linspace(0, 6.2, 401)])
    store(world, raster, ragged)
    store(world, raster, turned(0, (900, 900)))
    gone = store(world, raster, turned(0, (430, 400)))
    Annotation.objects.filter(id=gone["id"]).update(deleted_at="2026-01-01T00:00:00Z")
    corners = raster_frame(raster).lonlat_from_pixel([(300, 500), (500, 300)])
    bounds = (*corners[0].tolist(), *corners[1].tolist())

    def wests(*more: Any) -> list[float]:
        found = shapes_near(world.project.id, world.field.id, bounds, *more)
        return [round(shape.bounds[0], 8) for shape in found]

    def west(row: dict[str, Any]) -> float:
        return round(min(lon for lon, _ in row["geometry"]["coordinates"][0]), 8)

    assert wests(9) == [west(own), west(near), west(far)]
    assert wests(2) == [west(own), west(near)]
    assert wests(9, UUID(own["id"])) == [west(near), west(far)]
    assert shapes_near(world.foreign_project.id, world.field.id, bounds, 9) == []


def test_a_database_that_fails_or_is_late_holds_no_answer_up(
    world: World, raster: Raster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store(world, raster, turned(20, (450, 400)))

    def failing(*_: Any) -> Any:
        raise RuntimeError("the database is away")

    monkeypatch.setattr(groups, "shapes_near", [failing])
    assert read(raster, world.field.id) == []

    go_on, pool = threading.Event(), ThreadPoolExecutor(1)

    def waiting(make: Callable[[], Any]) -> "Future[Any]":
        return pool.submit(lambda: go_on.wait(20))

    monkeypatch.setattr(groups, "beside", waiting)
    began = time.monotonic()
    try:
        assert read(raster, world.field.id) == []
    finally:
        go_on.set()
        pool.shutdown()
    assert time.monotonic() - began < 10
    assert len([one for one in caplog.records if "could not be read in time" in one.message]) == 2


@pytest.mark.django_db(transaction=True)
def test_walls_are_read_on_another_thread_with_a_connection_of_its_own(world: World, raster: Raster) -> None:
    store(world, raster, turned(20, (450, 400)))
    names: list[str] = []

    def work() -> Any:
        names.append(threading.current_thread().name)
        return tuple(Annotation.objects.values_list("project_id", flat=True))

    assert beside(work).result(20) == (world.project.id,)
    assert names[0].startswith("groups")


@pytest.mark.parametrize("neighbours", [True, False])
def test_outlining_again_follows_neighbours_and_never_the_shape_itself(
    world: World, raster: Raster, neighbours: bool
) -> None:
    lon, lat = raster_frame(raster).lonlat_from_pixel([HUT])[0].tolist()
    provenance = {"kind": "suggested", "prompts": [{"lon": lon, "lat": lat, "label": 1}]}
    own = store(world, raster, turned(38, HUT, (120, 80)), raster=str(raster.id), provenance=provenance)["id"]
    mask = Mask(logits_of(turned(33, HUT, (120, 80))), Window(0, 0, 1024))
    assert masks.keep(UUID(own), world.project.id, world.annotator.id, raster.id, mask)
    for away in (150, 190) if neighbours else ():
        store(world, raster, turned(30, (HUT[0] + away, HUT[1]), (40, 200)))

    def turn(**recipe: Any) -> float:
        said = client_of(world.annotator).post(f"/api/annotations/{own}/outline", {"recipe": recipe})
        assert said.status_code == 200
        shape = Polygon(said.json()["geometry"]["coordinates"][0])
        return turn_of(raster_frame(raster).pixel_geometry_from_lonlat(shape))

    assert turn(form="right_angles") == pytest.approx(33, abs=0.3)
    assert turn(**FOLLOWING) == pytest.approx(30.7 if neighbours else 33, abs=0.4)
