"""Exports: what GDAL reads back is what was drawn; one moment's state, cancelled and begun again without harm."""

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pyogrio
import pyogrio.raw
import pytest
import shapely
from django.db import connection
from pyproj import Transformer

from backend.accounts.models import User
from backend.core.errors import Invalid
from backend.exchange import features, services
from backend.exchange import jobs as export_jobs
from backend.exchange.models import Export
from backend.jobs import services as jobs
from backend.jobs.models import Job
from backend.rasters.models import Raster
from tests.support.at_once import at_once
from tests.support.many import draw_many
from tests.support.worlds import (
    World,
    client_of,
    make_world,
    move_status,
    patch_annotation,
    put_annotation,
    square,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(tmp_path: Path, settings: Any) -> Iterator[World]:
    settings.DATA_DIR = tmp_path
    yield make_world()
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()], "something half made was left behind"


def ask(world: World, user: User | None = None, **said: Any) -> dict[str, Any]:
    answer = client_of(user or world.viewer).post(
        f"/api/projects/{world.project.id}/exports", {"format": "geojson", **said}
    )
    assert answer.status_code == 201, answer.content
    asked: dict[str, Any] = answer.json()
    return asked


def look(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = client_of(world.viewer).get(f"/api/exports/{asked['id']}").json()
    return found


def run(asked: dict[str, Any], should_abort: Callable[[], bool] = lambda: False) -> None:
    export_jobs.export(asked["job"], should_abort)


def made(world: World, tmp_path: Path, **said: Any) -> Path:
    """The file of an export, downloaded."""
    asked = ask(world, **said)
    assert asked["size_bytes"] is None
    run(asked)
    done = look(world, asked)
    assert done["state"] == "done", done
    answer = client_of(world.viewer).get(f"/api/exports/{asked['id']}/download")
    assert answer.status_code == 200
    path = tmp_path / done["filename"]
    path.write_bytes(b"".join(answer))
    assert path.stat().st_size == done["size_bytes"] == int(answer["Content-Length"])
    return path


def table(path: Path, layer: str | None = None) -> tuple[list[dict[str, Any]], list[Any]]:
    """Rows and shapes as GDAL reads them."""
    meta, _, wkb, columns = pyogrio.raw.read(path, layer=layer)
    rows = [dict(zip(meta["fields"], values, strict=True)) for values in zip(*columns, strict=True)]
    return rows, list(shapely.from_wkb(wkb))


def a_bit_of_everything(world: World) -> dict[str, dict[str, Any]]:
    raster = Raster.objects.create(project=world.project, name="Sommer <2026>", state="viewable", source_path="x")
    hole = [[10.0002, 50.0002], [10.0002, 50.0004], [10.0004, 50.0004], [10.0004, 50.0002], [10.0002, 50.0002]]
    given = {"roof": "flat", "floors": 3, "note": 'Größe "x" 图, =1+1', "occupied": False}
    building = put_annotation(
        world,
        world.annotator,
        label_class=str(world.building.id),
        geometry={"type": "Polygon", "coordinates": [*square()["coordinates"], hole]},
        attributes=given,
        raster=str(raster.id),
        provenance={"kind": "suggested", "model": "nano", "score": 0.875},
        status="submitted",
    )
    parts = [square(11, 51)["coordinates"], square(11.01, 51)["coordinates"]]
    return {
        "building": move_status(world.reviewer, building, "accepted").json(),
        "field": put_annotation(world, world.colleague, geometry={"type": "MultiPolygon", "coordinates": parts}),
        "road": put_annotation(
            world,
            world.annotator,
            label_class=str(world.road.id),
            geometry={"type": "LineString", "coordinates": [[10, 50], [10.123456789, 50.2]]},
        ),
        "tree": put_annotation(
            world,
            world.annotator,
            label_class=str(world.tree.id),
            geometry={"type": "Point", "coordinates": [-0.000000001, 50]},
        ),
    }


def test_geojson_holds_every_shape_to_the_last_digit_with_its_properties(world: World, tmp_path: Path) -> None:
    drawn = a_bit_of_everything(world)
    gone = put_annotation(world, world.annotator)
    client_of(world.annotator).delete(f"/api/annotations/{gone['id']}", {"version": 1, "edit_id": str(uuid4())})

    said = json.loads(made(world, tmp_path).read_text())

    assert (said["type"], said["name"]) == ("FeatureCollection", "Harbour")
    assert "crs" not in said
    by_id = {feature["id"]: feature for feature in said["features"]}
    assert by_id.keys() == {row["id"] for row in drawn.values()}
    for row in drawn.values():
        assert by_id[row["id"]]["geometry"] == row["geometry"]
        assert by_id[row["id"]]["properties"]["area_m2"] == row["area_m2"]
    building = drawn["building"]
    assert by_id[building["id"]]["properties"] == {
        "id": building["id"],
        "class": "Building",
        "status": "accepted",
        "author": "Anna",
        "updated_by": "Rita",
        "created_at": building["created_at"],
        "updated_at": building["updated_at"],
        "version": 2,
        "area_m2": building["area_m2"],
        "length_m": building["length_m"],
        "source": "suggested",
        "model": "nano",
        "score": 0.875,
        "raster": "Sommer <2026>",
        "raster_id": building["raster"],
        "attr_roof": "flat",
        "attr_floors": 3,
        "attr_note": 'Größe "x" 图, =1+1',
        "attr_occupied": False,
    }


def test_geojson_has_outer_rings_counter_clockwise_and_holes_clockwise(world: World, tmp_path: Path) -> None:
    drawn = a_bit_of_everything(world)

    said = json.loads(made(world, tmp_path).read_text())

    [building] = [feature for feature in said["features"] if feature["id"] == drawn["building"]["id"]]
    shape = shapely.from_geojson(json.dumps(building["geometry"]))
    assert shapely.is_ccw(shape.exterior)
    assert len(shape.interiors) == 1
    assert not shapely.is_ccw(shape.interiors[0])


def test_a_geopackage_has_a_layer_for_each_kind_with_columns_of_the_right_type(world: World, tmp_path: Path) -> None:
    drawn = a_bit_of_everything(world)

    path = made(world, tmp_path, format="gpkg")

    assert {str(name): str(kind) for name, kind in pyogrio.list_layers(path)} == {
        "polygons": "MultiPolygon",
        "lines": "MultiLineString",
        "points": "Point",
    }
    info = pyogrio.read_info(path, layer="polygons")
    types = dict(zip(info["fields"], info["dtypes"], strict=True))
    assert info["crs"] == "EPSG:4326"
    assert types["version"] == "int64"
    assert types["area_m2"] == types["score"] == types["attr_floors"] == "float64"
    assert types["created_at"].startswith("datetime64")
    assert types["attr_occupied"] == "bool"
    assert types["attr_roof"] == types["attr_note"] == "object"
    rows, shapes = table(path, "polygons")
    at = {row["id"]: index for index, row in enumerate(rows)}
    for name in ("building", "field"):
        want = shapely.from_geojson(json.dumps(drawn[name]["geometry"]))
        assert shapely.normalize(shapes[at[drawn[name]["id"]]]) == shapely.normalize(
            want if want.geom_type == "MultiPolygon" else shapely.MultiPolygon([want])
        )
    building = rows[at[drawn["building"]["id"]]]
    assert (building["class"], building["status"], building["author"]) == ("Building", "accepted", "Anna")
    assert (building["attr_roof"], building["attr_floors"], building["attr_occupied"]) == ("flat", 3.0, False)
    assert building["attr_note"] == 'Größe "x" 图, =1+1'
    assert building["score"] == 0.875
    created = datetime.fromisoformat(drawn["building"]["created_at"]).replace(tzinfo=None)
    assert building["created_at"] == np.datetime64(created, "ms")
    field = rows[at[drawn["field"]["id"]]]
    assert field["attr_roof"] is None
    assert np.isnan(field["score"])
    assert np.isnan(field["attr_floors"])
    assert table(path, "points")[1][0].equals_exact(shapely.Point(-0.000000001, 50), 0)


def test_times_in_a_geopackage_are_marked_as_utc(world: World, tmp_path: Path) -> None:
    row = put_annotation(world, world.annotator)

    path = made(world, tmp_path, format="gpkg")

    with sqlite3.connect(path) as file:
        [(stored,)] = file.execute("SELECT created_at FROM polygons").fetchall()
    file.close()
    assert stored == row["created_at"]


@pytest.mark.parametrize("format_", ["geojson", "gpkg"])
def test_in_another_crs_every_vertex_lies_where_pyproj_puts_it(world: World, tmp_path: Path, format_: str) -> None:
    drawn = put_annotation(world, world.annotator)

    path = made(world, tmp_path, format=format_, crs="epsg:32632")

    assert pyogrio.read_info(path)["crs"] == "EPSG:32632"
    [shape] = table(path)[1]
    lonlat = np.array(drawn["geometry"]["coordinates"][0])
    want = np.column_stack(Transformer.from_crs(4326, 32632, always_xy=True).transform(lonlat[:, 0], lonlat[:, 1]))
    assert shapely.hausdorff_distance(shape, shapely.Polygon(want)) < 0.001
    assert shape.area == pytest.approx(drawn["area_m2"], rel=0.002)
    if format_ == "geojson":
        said = json.loads(path.read_text())
        assert said["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32632"
        assert "RFC 7946" in said["warning"]


@pytest.mark.parametrize("format_", ["geojson", "gpkg"])
def test_an_export_of_nothing_is_a_file_that_opens_and_is_empty(world: World, tmp_path: Path, format_: str) -> None:
    path = made(world, tmp_path, format=format_, filters={"status": ["accepted"]})

    rows, shapes = table(path)

    assert rows == shapes == []


def test_filters_choose_the_same_as_the_list_and_an_area_what_touches_it(world: World, tmp_path: Path) -> None:
    drawn = a_bit_of_everything(world)
    triangle = {"type": "Polygon", "coordinates": [[[10.9, 50.9], [11.1, 50.9], [10.9, 51.1], [10.9, 50.9]]]}
    beside = {"type": "Polygon", "coordinates": [[[11.02, 51.02], [11.1, 50.9], [11.1, 51.1], [11.02, 51.02]]]}

    def names(**filters: Any) -> set[str]:
        said = json.loads(made(world, tmp_path, filters=filters).read_text())
        found = {feature["id"] for feature in said["features"]}
        return {name for name, row in drawn.items() if row["id"] in found}

    assert names(status=["accepted"]) == {"building"}
    assert names(status=["draft", "accepted"], label_class=[str(world.road.id), str(world.building.id)]) == {
        "road",
        "building",
    }
    assert names(raster=drawn["building"]["raster"]) == {"building"}
    assert names(bbox=[10.9, 50.9, 11.1, 51.1]) == {"field"}
    assert names(area=triangle) == {"field"}
    assert names(area=beside) == set()
    assert names(area=triangle, status=["accepted"]) == set()
    assert names() == set(drawn)


def test_values_of_a_changed_legend_are_all_kept(world: World, tmp_path: Path) -> None:
    roofed = {"label_class": str(world.building.id)}
    number = put_annotation(world, world.annotator, attributes={"roof": "flat", "floors": 3, "note": "old"}, **roofed)
    schema = [entry for entry in world.building.attributes if entry["key"] != "note"]
    world.building.attributes = [{**entry, "type": "text"} if entry["key"] == "floors" else entry for entry in schema]
    world.building.save()
    text = put_annotation(world, world.annotator, attributes={"roof": "flat", "floors": "three"}, **roofed)

    rows, _ = table(made(world, tmp_path, format="gpkg"))

    by_id = {row["id"]: row for row in rows}
    assert by_id[number["id"]]["attr_floors"] == "3"
    assert by_id[text["id"]]["attr_floors"] == "three"
    assert by_id[number["id"]]["attr_note"] == "old"


def test_an_export_shows_one_moment_whatever_is_written_meanwhile(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "BATCH_ROWS", 1)
    monkeypatch.setattr(features, "FETCH_ROWS", 1)
    drawn = [put_annotation(world, world.annotator, geometry=square(10 + step, 50)) for step in range(4)]
    asked = ask(world)
    polls = 0

    def meddle() -> bool:
        nonlocal polls
        polls += 1
        if polls == 2:  # from another connection, as another process would
            gone = f"/api/annotations/{drawn[3]['id']}"
            guard = {"version": 1, "edit_id": str(uuid4())}
            at_once(
                [
                    partial(patch_annotation, world.annotator, drawn[2], geometry=square(80, 50)),
                    partial(client_of(world.annotator).delete, gone, guard),
                    partial(put_annotation, world, world.annotator),
                ]
            )
        return False

    run(asked, meddle)

    path = services.file_of(Export.objects.get(id=asked["id"]))
    said = json.loads(path.read_text())
    assert polls == 4
    assert [feature["geometry"] for feature in said["features"]] == [row["geometry"] for row in drawn]


def test_a_cancelled_export_leaves_no_file_and_can_be_asked_for_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "BATCH_ROWS", 1)
    for step in range(3):
        put_annotation(world, world.annotator, geometry=square(10 + step, 50))
    for format_ in ("geojson", "gpkg"):
        asked = ask(world, format=format_)
        polls = iter([False, True])

        with pytest.raises(jobs.Stopped):
            run(asked, lambda: next(polls))  # noqa: B023

        export = Export.objects.get(id=asked["id"])
        assert list(services.folder_of(export.id).iterdir()) == []
        refused = client_of(world.viewer).get(f"/api/exports/{asked['id']}/download")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "export.not_ready")
        run(asked)
        assert look(world, asked)["state"] == "done"


def test_progress_is_seen_while_it_runs_and_the_end_says_how_many(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "BATCH_ROWS", 100)
    monkeypatch.setattr("backend.exchange.reporting.SECONDS_BETWEEN", 0)
    draw_many(world, 350)
    asked = ask(world)
    assert (asked["state"], asked["total"], asked["done"]) == ("queued", 350, 0)
    seen: list[tuple[int, int, str]] = []

    def watch() -> bool:
        [now] = at_once([partial(look, world, asked)])  # on another connection: this one sees only its snapshot
        seen.append((now["done"], now["total"], now["state"]))
        return False

    run(asked, watch)

    assert seen == [(done, 350, "running") for done in (0, 100, 200, 300)]
    done = look(world, asked)
    assert (done["state"], done["total"], done["done"]) == ("done", 350, 350)
    assert Job.objects.get(id=asked["job"]).done == 350


KILLED = """
import os, signal, sys
import django
django.setup()
from pathlib import Path
from django.conf import settings
from backend.exchange import features, jobs
settings.DATA_DIR = Path(sys.argv[2])
features.BATCH_ROWS = 10
polls = 0
def poll():
    global polls
    polls += 1
    if polls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return False
jobs.export(sys.argv[1], poll)
"""


@pytest.mark.parametrize("format_", ["geojson", "gpkg"])
def test_an_export_whose_worker_was_killed_is_whole_after_the_next_try(
    world: World, tmp_path: Path, format_: str
) -> None:
    draw_many(world, 60)
    asked = ask(world, format=format_)
    db = connection.settings_dict
    url = f"postgres://{db['USER']}:{db['PASSWORD']}@{db['HOST']}:{db['PORT']}/{db['NAME']}"

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, asked["job"], str(tmp_path)],
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        timeout=60,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL
    assert look(world, asked)["state"] == "running"
    folder = services.folder_of(UUID(asked["id"]))
    assert [path.name[0] for path in folder.iterdir()] != []
    run(asked)
    assert look(world, asked)["state"] == "done"
    assert len(table(services.file_of(Export.objects.get(id=asked["id"])))[0]) == 60


def test_an_export_that_is_removed_while_it_is_written_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "BATCH_ROWS", 1)
    put_annotation(world, world.annotator)
    asked = ask(world)

    def remove() -> bool:
        at_once([partial(client_of(world.viewer).delete, f"/api/exports/{asked['id']}")])
        services.folder_of(UUID(asked["id"])).mkdir(parents=True, exist_ok=True)
        return False

    with pytest.raises(FileNotFoundError):
        run(asked, remove)

    shutil.rmtree(services.folder_of(UUID(asked["id"])), ignore_errors=True)
    assert not Export.objects.exists()


def test_an_export_removed_before_its_job_begins_does_nothing(world: World, tmp_path: Path) -> None:
    asked = ask(world)

    assert client_of(world.viewer).delete(f"/api/exports/{asked['id']}").status_code == 204
    run(asked)

    assert Job.objects.get(id=asked["job"]).state == "cancelled"
    assert not list(tmp_path.rglob("*.geojson"))


def test_old_exports_go_with_their_files_when_the_next_one_is_made(world: World, tmp_path: Path) -> None:
    old = ask(world)
    run(old)
    assert look(world, old)["expires_at"] > old["created_at"]
    Export.objects.update(created_at=datetime.now(UTC) - timedelta(days=15))

    run(ask(world))

    assert client_of(world.viewer).get(f"/api/exports/{old['id']}").status_code == 404
    assert not services.folder_of(UUID(old["id"])).exists()
    assert len(list((tmp_path / "exports").iterdir())) == 1


def test_a_projects_exports_go_with_it(world: World, tmp_path: Path) -> None:
    run(ask(world))
    assert list(tmp_path.rglob("data.geojson"))

    answer = client_of(world.owner).delete(f"/api/projects/{world.project.id}", {"confirm_name": "Harbour"})

    assert answer.status_code == 204
    assert not list(tmp_path.rglob("data.geojson"))


def test_a_shape_that_the_crs_has_no_place_for_ends_the_export_in_words(world: World) -> None:
    pole = {"type": "Point", "coordinates": [3, -90]}
    drawn = put_annotation(world, world.annotator, label_class=str(world.tree.id), geometry=pole)
    asked = ask(world, crs="EPSG:2154")

    with pytest.raises(Invalid, match=drawn["id"]):
        run(asked)

    assert list(services.folder_of(UUID(asked["id"])).iterdir()) == []


@pytest.mark.parametrize("format_", ["geojson", "gpkg"])
def test_memory_does_not_grow_with_the_number_of_annotations(world: World, format_: str) -> None:
    draw_many(world, 2000)
    run(ask(world, format=format_))
    draw_many(world, 40_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()

    asked = ask(world, format=format_)
    run(asked)

    assert look(world, asked)["done"] == 42_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024
    assert time.process_time() - began < 30


async def test_a_download_streams_under_an_asynchronous_server_too(tmp_path: Path) -> None:
    from backend.exchange.api import PIECE_BYTES, Download

    path = tmp_path / "large"
    path.write_bytes(os.urandom(3 * PIECE_BYTES + 17))

    answer = Download(path.open("rb"), "large.geojson", "application/geo+json")
    pieces = [piece async for piece in answer]
    answer.close()

    assert [len(piece) for piece in pieces] == [PIECE_BYTES] * 3 + [17]
    assert b"".join(pieces) == path.read_bytes()
