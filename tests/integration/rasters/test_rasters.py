"""Rasters from their registration to viewable, as people see them over HTTP."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from backend.events.models import Event
from backend.jobs.models import Job
from backend.rasters import reading, services
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_frame
from ml.windows import Window
from tests.support.rasters import (
    NORTH_UP,
    body,
    checks,
    kinds_of,
    make_tif,
    prepared,
    received,
    register,
    registered,
    run,
)
from tests.support.worlds import World, client_of

pytestmark = pytest.mark.django_db


def test_a_file_of_an_allowed_folder_becomes_viewable(world: World, surveys: Path) -> None:
    make_tif(surveys / "2026" / "field.tif", checks(600, 800))

    made = register(world, "surveys/2026/field.tif", name="North field")

    assert made.status_code == 201
    assert (made.json()["state"], made.json()["name"]) == ("inspecting", "North field")
    raster = Raster.objects.get(id=made.json()["id"])
    job = run(raster)
    seen = body(client_of(world.viewer).get(f"/api/rasters/{raster.id}"))
    assert (job.state, job.done) == ("done", 100)
    assert seen["state"] == "viewable"
    assert (seen["width"], seen["height"], seen["crs"]["epsg"]) == (800, 600, 32633)
    assert seen["recipe"] == {"bands": [1, 2, 3], "ranges": [[0.0, 255.0]] * 3, "gamma": 1.0}
    assert [band["interpretation"] for band in seen["bands"]] == ["red", "green", "blue"]
    assert seen["bands"][0]["stats"]["min"] == 40
    assert seen["tiles"] == f"/api/rasters/{raster.id}/tiles/{{z}}/{{x}}/{{y}}?v={raster.version}"
    assert seen["bbox"][0] == pytest.approx(15.0, abs=1e-6)
    assert (surveys / "2026" / "field.tif").exists()


def test_everybody_in_the_project_hears_of_each_step(world: World, surveys: Path) -> None:
    raster = registered(world, surveys)

    assert kinds_of(raster.id) == ["raster.created", "raster.changed", "raster.changed"]
    states = [event.data["raster"]["state"] for event in Event.objects.filter(subject_id=raster.id).order_by("seq")]
    assert states == ["inspecting", "preparing", "viewable"]


def test_the_cog_has_tiles_overviews_and_the_same_pixels(world: World, tmp_path: Path) -> None:
    values = np.random.default_rng(3).integers(0, 60_000, (2, 1500, 1300), dtype=np.uint16)

    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", values))

    with rasterio.open(reading.data_path(raster.cog_path)) as cog:
        assert cog.profile["blockxsize"] == 512
        assert cog.overviews(1) == [2, 4]
        assert (cog.read() == values).all()
        assert cog.transform == NORTH_UP
        assert cog.crs.to_epsg() == 32633


@pytest.mark.parametrize(
    ("dtype", "bands"),
    [
        ("uint8", 1), ("uint8", 4), ("uint16", 2), ("uint16", 20), ("int16", 1), ("int16", 3),
        ("float32", 4), ("float64", 1), ("int8", 1), ("uint32", 3), ("int32", 1),
    ],
)  # fmt: skip
def test_every_supported_type_and_number_of_bands_can_be_seen(
    world: World, tmp_path: Path, dtype: str, bands: int
) -> None:
    values = (checks(64, 64, 1, 8)[0] // 2).astype(dtype)
    path = make_tif(tmp_path / "a.tif", np.stack([values] * bands), photometric="minisblack")

    raster = prepared(world.project, world.owner, path)

    assert raster.state == "viewable", raster.error
    seen = reading.read_window(raster, Window(0, 0, 64))
    assert seen.valid.all()
    assert set(np.unique(seen.rgb)) == {0, 255}


@pytest.mark.parametrize(
    "profile",
    [
        {"compress": "jpeg", "photometric": "ycbcr", "tiled": True, "blockxsize": 64, "blockysize": 64},
        {"compress": "lzw", "endianness": "big"},
        {"compress": "deflate", "predictor": 2, "bigtiff": "yes"},
        {"interleave": "band", "compress": "zstd"},
        {"interleave": "pixel", "blockysize": 1},
    ],
)
def test_every_usual_way_of_writing_a_tiff_gives_the_same_picture(
    world: World, tmp_path: Path, profile: dict[str, Any]
) -> None:
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", checks(128, 128), **profile))

    seen = reading.read_window(raster, Window(0, 0, 128))
    difference = np.abs(seen.rgb.astype(int) - checks(128, 128).transpose(1, 2, 0))
    assert np.median(difference) <= 2
    assert seen.valid.all()


def test_one_bit_is_black_and_white(world: World, tmp_path: Path) -> None:
    values = (checks(64, 64, 1, 8) > 100).astype(np.uint8)

    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", values, nbits=1))

    assert set(np.unique(reading.read_window(raster, Window(0, 0, 64)).rgb)) == {0, 255}


def test_nodata_mask_and_alpha_hide_the_same_pixels(world: World, tmp_path: Path) -> None:
    hidden = np.zeros((100, 100), bool)
    hidden[20:50, 30:90] = True
    plain = checks(100, 100)
    holed = plain.copy()
    holed[:, hidden] = 0
    alpha = np.concatenate([plain, np.where(hidden, 0, 255)[None].astype(np.uint8)])
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    nan = plain.astype(np.float32)
    nan[:, hidden] = np.nan
    paths = [
        make_tif(tmp_path / "nodata.tif", holed, nodata=0),
        make_tif(tmp_path / "mask.tif", plain, mask=~hidden),
        make_tif(tmp_path / "alpha.tif", alpha, interpretation=colours),
        make_tif(tmp_path / "nan.tif", nan),
        make_tif(tmp_path / "nan_nodata.tif", nan, nodata=np.nan),
    ]

    for path in paths:
        raster = prepared(world.project, world.owner, path)
        seen = reading.read_window(raster, Window(0, 0, 100))
        assert (seen.valid == ~hidden).all(), path.name
        assert (seen.rgb[hidden] == 0).all()


def test_a_palette_is_seen_in_its_colours_and_its_clear_entries_are_transparent(world: World, tmp_path: Path) -> None:
    values = (np.indices((60, 60)).sum(axis=0)[None] // 30 % 3).astype(np.uint8)
    palette = {0: (10, 20, 30, 255), 1: (200, 100, 50, 255), 2: (0, 255, 0, 255)}

    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", values, palette=palette))

    seen = reading.read_window(raster, Window(0, 0, 60))
    assert {tuple(colour) for colour in seen.rgb.reshape(-1, 3)} == {(10, 20, 30), (200, 100, 50), (0, 255, 0)}
    raster.palette["1"] = [200, 100, 50, 0]
    assert (reading.read_window(raster, Window(0, 0, 60)).valid == (values[0] != 1)).all()


def test_a_window_at_the_edge_is_cut_there(world: World, tmp_path: Path) -> None:
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", checks(90, 130)))

    seen = reading.read_window(raster, Window(100, 60, 64))

    assert seen.rgb.shape == (30, 30, 3)
    assert (seen.rgb == checks(90, 130)[:, 60:90, 100:130].transpose(1, 2, 0)).all()


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"crs": None}, "raster.no_crs"),
        ({"transform": None}, "raster.no_georeference"),
        ({"transform": Affine(0, 0, 500_000, 0, 0, 5_200_000)}, "raster.no_georeference"),
        ({"crs": 'LOCAL_CS["ground",UNIT["metre",1]]'}, "raster.unsupported_crs"),
        ({"crs": "EPSG:4326"}, "raster.out_of_world"),
        ({"values": np.zeros((1, 30, 30), np.complex64)}, "raster.unsupported_dtype"),
        ({"values": np.zeros((21, 30, 30), np.uint8)}, "raster.too_many_bands"),
        ({"values": np.zeros((1, 30, 30), np.uint8), "nodata": 0}, "raster.empty"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_and_what_to_do(
    world: World, tmp_path: Path, data: Path, made: dict[str, Any], code: str
) -> None:
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", **made))

    seen = body(client_of(world.viewer).get(f"/api/rasters/{raster.id}"))
    assert (seen["state"], seen["error"]["code"]) == ("refused", code)
    assert len(seen["error"]["message"]) > 15
    assert len(seen["error"]["remedy"]) > 15
    assert seen["tiles"] is None
    assert not list(data.rglob("*.tif")), "nothing half made is left"
    job = Job.objects.get(raster_id=raster.id)
    assert (job.state, job.error["code"]) == ("failed", code)


def test_ground_control_points_alone_are_named_as_such(world: World, tmp_path: Path) -> None:
    corners = ((0, 0, 15.0, 47.0), (0, 100, 15.1, 47.0), (100, 0, 15.0, 46.9), (100, 100, 15.1, 46.9))
    path = tmp_path / "a.tif"
    gcps = [rasterio.control.GroundControlPoint(*corner) for corner in corners]
    form: dict[str, Any] = {"driver": "GTiff", "width": 100, "height": 100, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:4326", gcps=gcps, **form) as made:
        made.write(checks(100, 100, 1))

    assert prepared(world.project, world.owner, path).error["code"] == "raster.only_gcps"


def test_a_file_cut_off_anywhere_is_refused_whole(world: World, tmp_path: Path, data: Path) -> None:
    values = np.random.default_rng(1).integers(0, 255, (1, 400, 400), dtype=np.uint8)
    whole = make_tif(tmp_path / "whole.tif", values, compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    size = whole.stat().st_size

    for share in (0.1, 0.5, 0.9, 0.999):
        path = tmp_path / f"cut-{share}.tif"
        path.write_bytes(whole.read_bytes()[: int(size * share)])
        raster = prepared(world.project, world.owner, path)
        assert (raster.state, raster.error["code"]) == ("refused", "raster.corrupt"), share
    assert not list(data.rglob("*.tif"))


def test_choosing_a_crs_repairs_a_file_without_one(world: World, tmp_path: Path) -> None:
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", crs=None))
    owner = client_of(world.owner)

    for wrong in ("", "EPSG:1", "IAU_2015:30110", "+init=/etc/passwd:x", 7):
        answer = owner.post(f"/api/rasters/{raster.id}/crs", {"crs": wrong})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "raster.invalid_crs"), wrong
        assert Raster.objects.get(id=raster.id).given_crs == ""

    assert owner.post(f"/api/rasters/{raster.id}/crs", {"crs": "EPSG:4326"}).status_code == 200
    run(raster)
    assert raster.error["code"] == "raster.out_of_world", "500,000 degrees east"
    assert owner.post(f"/api/rasters/{raster.id}/crs", {"crs": "EPSG:32633"}).status_code == 200
    run(raster)
    assert (raster.state, raster.epsg) == ("viewable", 32633)
    assert raster_frame(raster).lonlat_from_pixel([[0, 0]])[0, 0] == pytest.approx(15.0, abs=1e-9)


def test_a_new_recipe_is_a_new_version_and_another_picture(world: World, surveys: Path) -> None:
    raster = registered(world, surveys)
    before = (raster.version, raster.recipe_hash)
    recipe = {"bands": [3, 2, 1], "ranges": [[0, 100]] * 3, "gamma": 1}

    answer = client_of(world.owner).patch(f"/api/rasters/{raster.id}", {"recipe": recipe})

    assert answer.status_code == 200
    raster.refresh_from_db()
    assert raster.version == before[0] + 1
    assert raster.recipe_hash != before[1]
    assert reading.read_window(raster, Window(0, 0, 16)).rgb[0, 0].tolist() == [102, 102, 102]


def test_a_name_and_a_date_change_neither_version_nor_hash(world: World, surveys: Path) -> None:
    raster = registered(world, surveys)

    answer = client_of(world.owner).patch(f"/api/rasters/{raster.id}", {"name": "Spring", "acquired_on": "2026-04-01"})

    assert (answer.json()["name"], answer.json()["acquired_on"]) == ("Spring", "2026-04-01")
    fresh = Raster.objects.get(id=raster.id)
    assert (fresh.version, fresh.recipe_hash) == (raster.version, raster.recipe_hash)
    assert client_of(world.owner).patch(f"/api/rasters/{raster.id}", {"acquired_on": "soon"}).status_code == 422


def test_the_day_in_the_file_is_its_date_and_nonsense_is_not(world: World, surveys: Path) -> None:
    for name, said in (("good.tif", "2016:08:16 10:00:00"), ("bad.tif", "2016:13:77 10:00:00")):
        with rasterio.open(make_tif(surveys / name), "r+") as made:
            made.update_tags(TIFFTAG_DATETIME=said)

    days = []
    for name in ("good.tif", "bad.tif"):
        raster = Raster.objects.get(id=body(register(world, f"surveys/{name}"))["id"])
        run(raster)
        days.append(raster.acquired_on and raster.acquired_on.isoformat())
    assert days == ["2016-08-16", None]


def test_preparing_again_keeps_the_chosen_recipe_for_the_same_pixels_only(world: World, surveys: Path) -> None:
    raster = registered(world, surveys)
    chosen = {"bands": [1, 1, 1], "ranges": [[0.0, 9.0]] * 3, "gamma": 2.0}
    client_of(world.owner).patch(f"/api/rasters/{raster.id}", {"recipe": chosen})
    hash_before = Raster.objects.get(id=raster.id).recipe_hash

    services.prepare_again(raster, actor=world.owner)
    run(raster)
    assert (raster.recipe, raster.recipe_hash) == (chosen, hash_before)

    make_tif(surveys / "field.tif", checks(50, 50, 1).astype(np.uint16) * 10)
    services.prepare_again(raster, actor=world.owner)
    run(raster)
    assert raster.recipe["ranges"] == [[400.0, 2400.0]] * 3
    assert raster.recipe_hash != hash_before


def test_preparing_again_leaves_one_cog(world: World, surveys: Path, data: Path) -> None:
    raster = registered(world, surveys)
    first = raster.cog_path

    services.prepare_again(raster, actor=world.owner)
    run(raster)

    assert raster.cog_path != first
    assert [path.name for path in (data / "rasters" / str(raster.id)).iterdir()] == [Path(raster.cog_path).name]


def test_while_it_is_prepared_it_is_not_begun_again(world: World, surveys: Path) -> None:
    make_tif(surveys / "field.tif")
    made = register(world, "surveys/field.tif").json()
    owner = client_of(world.owner)

    assert owner.post(f"/api/rasters/{made['id']}/retry").status_code == 409
    assert owner.post(f"/api/rasters/{made['id']}/crs", {"crs": "EPSG:32633"}).status_code == 409
    assert Job.objects.filter(raster_id=made["id"]).count() == 1
    assert Raster.objects.get(id=made["id"]).given_crs == ""


def test_the_allowed_folders_can_be_looked_through_by_owners(world: World, surveys: Path) -> None:
    make_tif(surveys / "2026" / "b.tif")
    (surveys / "2026" / "notes.txt").write_text("no raster")
    (surveys / "2026" / ".hidden.tif").write_bytes(b"")
    address = f"/api/projects/{world.project.id}/raster-folders"
    owner = client_of(world.owner)

    top, inside = owner.get(address).json(), owner.get(address, {"path": "surveys/2026"}).json()

    assert top == {"enabled": True, "path": "", "folders": ["surveys"], "files": []}
    assert inside["folders"] == []
    assert inside["files"] == [{"name": "b.tif", "size": (surveys / "2026" / "b.tif").stat().st_size}]
    for part, status in (("viewer", 403), ("annotator", 403), ("reviewer", 403), ("stranger", 404)):
        assert client_of(getattr(world, part)).get(address).status_code == status
    assert client_of(None).get(address).status_code == 401


def test_without_allowed_folders_there_is_nothing_to_register(world: World, settings: Any) -> None:
    settings.RASTER_FOLDERS = []

    listed = client_of(world.owner).get(f"/api/projects/{world.project.id}/raster-folders").json()

    assert listed == {"enabled": False, "path": "", "folders": [], "files": []}
    assert register(world, "etc/passwd").status_code == 422


@pytest.mark.parametrize(
    ("part", "status"), [("viewer", 403), ("annotator", 403), ("reviewer", 403), ("stranger", 404)]
)
def test_only_owners_change_rasters(world: World, surveys: Path, part: str, status: int) -> None:
    raster = registered(world, surveys)
    client = client_of(getattr(world, part))
    before = Raster.objects.filter(id=raster.id).values().get()

    answers = [
        client.patch(f"/api/rasters/{raster.id}", {"name": "mine"}),
        client.delete(f"/api/rasters/{raster.id}"),
        client.post(f"/api/rasters/{raster.id}/retry"),
        client.post(f"/api/rasters/{raster.id}/crs", {"crs": "EPSG:32633"}),
        client.post(f"/api/projects/{world.project.id}/rasters", {"path": "surveys/field.tif"}),
    ]

    assert [answer.status_code for answer in answers] == [status] * 5
    assert Raster.objects.filter(project=world.project).values().get() == before


def test_every_member_sees_rasters_and_nobody_else(world: World, surveys: Path) -> None:
    raster = registered(world, surveys)
    addresses = (
        f"/api/rasters/{raster.id}",
        f"/api/rasters/{raster.id}/tilejson.json",
        f"/api/projects/{world.project.id}/rasters",
    )

    for address in addresses:
        for part in ("viewer", "annotator", "reviewer", "owner"):
            assert client_of(getattr(world, part)).get(address).status_code == 200
        assert client_of(None).get(address).status_code == 401
        foreign = client_of(world.stranger).get(address)
        missing = client_of(world.owner).get(address.replace(str(raster.id), "0" * 8 + str(raster.id)[8:]))
        assert foreign.status_code == 404
        if "/rasters/" in address:
            assert foreign.json() == missing.json(), "not yours looks like not there"


def test_an_unprepared_raster_has_no_tilejson(world: World, tmp_path: Path) -> None:
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif"))

    answer = client_of(world.owner).get(f"/api/rasters/{raster.id}/tilejson.json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "raster.not_viewable")


def test_a_header_is_judged_in_a_moment(world: World, tmp_path: Path) -> None:
    raster = received(world.project, world.owner, make_tif(tmp_path / "a.tif", crs=None))

    began = time.monotonic()
    run(raster)

    assert raster.error["code"] == "raster.no_crs"
    assert time.monotonic() - began < 5
