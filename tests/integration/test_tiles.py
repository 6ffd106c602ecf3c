"""Tiles: the right pixels at the right place, to the right people, sent no oftener than needed."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from pyproj import Transformer
from rasterio.enums import ColorInterp

from backend.projects.services import remove_member
from backend.rasters import reading, tiles
from backend.rasters.models import Raster
from backend.rasters.warping import read_tile
from ml.windows import Window
from tests.support.rasters import body, checks, lonlat_of, make_tif, prepared
from tests.support.worlds import World, client_of, make_world

WORLD_M = 2 * np.pi * 6_378_137
REAL = os.environ.get("EDGEWISE_TEST_DATA")


@pytest.fixture(autouse=True)
def data(settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.DATA_DIR = tmp_path / "data"
    yield settings.DATA_DIR
    reading.forget_handles()


@pytest.fixture
def world(transactional_db: None) -> World:
    tiles._access.clear()
    return make_world()


@pytest.fixture
def raster(world: World, tmp_path: Path) -> Raster:
    return prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", checks(700, 900)))


def tile_at(raster: Raster, col: float, row: float, zoom: int) -> tuple[int, int, float, float]:
    """The tile under a pixel position, and the place in it in tile pixels; by pyproj and plain arithmetic."""
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True).transform(*lonlat_of(raster, col, row))
    across, down = (x / WORLD_M + 0.5) * 2**zoom, (0.5 - y / WORLD_M) * 2**zoom
    return int(across), int(down), (across % 1) * 256, (down % 1) * 256


def pixel_in_tile(raster: Raster, zoom: int) -> float:
    """The shorter side of one of the raster's pixels, in pixels of the tile."""
    places = []
    for col, row in ((400, 350), (401, 350), (400, 351)):
        x, y, across, down = tile_at(raster, col, row, zoom)
        places.append((x * 256 + across, y * 256 + down))
    here, *others = np.array(places)
    return float(min(np.hypot(*(other - here)) for other in others))


def address(raster: Raster, zoom: int | None = None, col: float = 450, row: float = 350, **query: Any) -> str:
    x, y, _, _ = tile_at(raster, col, row, zoom or raster.maxzoom)
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return f"/api/rasters/{raster.id}/tiles/{zoom or raster.maxzoom}/{x}/{y}?{asked}"


def picture(response: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(response.content)).convert("RGBA"))


PLACES = {
    "utm": ("EPSG:32633", Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000)),
    "rotated": ("EPSG:32633", Affine.translation(500_000, 5_200_000) @ Affine.rotation(30) @ Affine.scale(0.5, -0.5)),
    "south-up": ("EPSG:32633", Affine(0.5, 0, 500_000, 0, 0.5, 5_200_000)),
    "sheared": ("EPSG:2056", Affine(0.4, 0.1, 2_600_000, 0.05, -0.5, 1_200_000)),
    "geographic": ("EPSG:4326", Affine(5e-6, 0, 15, 0, -4e-6, 47)),
    "lat-high": ("EPSG:4326", Affine(5e-5, 0, 15, 0, -1e-5, 78)),
    "web": ("EPSG:3857", Affine(0.6, 0, 1_669_000, 0, -0.6, 5_942_000)),
    "antimeridian": ("EPSG:32660", Affine(10, 0, 704_000, 0, -10, 5_700_000)),
    "degrees-past-180": ("EPSG:4326", Affine(1e-4, 0, 179.96, 0, -1e-4, -17)),
    "feet": ("EPSG:2263", Affine(1.5, 0, 980_000, 0, -1.5, 200_000)),
    "polar": ("EPSG:3413", Affine(50, 0, -20_000, 0, -50, -800_000)),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_corner_lies_where_it_should_to_a_tenth_of_a_pixel(world: World, tmp_path: Path, place: str) -> None:
    """The centre of mass of a white square, in the tile, against its four corners by pyproj."""
    crs, transform = PLACES[place]
    values = np.full((1, 700, 800), 10, np.uint8)
    spots = [(120, 100), (600, 520), (400, 350)]
    for col, row in spots:
        values[0, row - 12 : row + 12, col - 12 : col + 12] = 250
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", values, crs=crs, transform=transform))
    assert raster.state == "viewable", raster.error
    zoom = raster.maxzoom + 1
    errors = []
    for col, row in spots:
        x, y, across, down = tile_at(raster, col, row, zoom)
        block = np.zeros((768, 768))
        for i in range(3):
            for j in range(3):
                tile = read_tile(raster, (x + i - 1) % 2**zoom, y + j - 1, zoom)
                if tile is not None:
                    block[j * 256 : j * 256 + 256, i * 256 : i * 256 + 256] = np.where(tile.valid, tile.rgb[..., 0], 0)
        weight = (block / 255.0) ** 3
        near = np.s_[int(down) + 256 - 100 : int(down) + 256 + 100, int(across) + 256 - 100 : int(across) + 256 + 100]
        rows, cols = np.indices(block.shape)
        mass = weight[near].sum()
        found = (
            ((cols[near] + 0.5) * weight[near]).sum() / mass - 256,
            ((rows[near] + 0.5) * weight[near]).sum() / mass - 256,
        )
        errors.append(np.hypot(found[0] - across, found[1] - down))

    assert max(errors) < 0.1 * pixel_in_tile(raster, zoom), f"{place}: {errors}"


def test_the_centre_of_a_square_is_not_moved_by_the_overviews(world: World, tmp_path: Path) -> None:
    values = np.full((1, 4096, 4096), 10, np.uint8)
    values[0, 1984:2112, 1984:2112] = 250
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", values))

    for zoom in range(raster.minzoom + 1, raster.maxzoom + 1):
        x, y, across, down = tile_at(raster, 2048, 2048, zoom)
        tile = read_tile(raster, x, y, zoom)
        assert tile is not None
        bright = tile.rgb[..., 0] > 128
        rows, cols = np.nonzero(bright)
        if rows.min() > 0 and cols.min() > 0 and rows.max() < 255 and cols.max() < 255:
            weight = tile.rgb[..., 0].astype(float) - 10
            weight[weight < 30] = 0
            middle = (weight.sum(axis=0) @ (np.arange(256) + 0.5)) / weight.sum()
            height = (weight.sum(axis=1) @ (np.arange(256) + 0.5)) / weight.sum()
            assert np.hypot(middle - across, height - down) < 0.1, zoom


@pytest.mark.skipif(not REAL, reason="EDGEWISE_TEST_DATA is not set")
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_tile_of_a_drone_image_is_the_one_another_tiler_made(world: World) -> None:
    folder = Path(str(REAL), "edge-label-maker-drone")
    raster = prepared(world.project, world.owner, folder / "drone.tif")
    with rasterio.open(folder / "1087767-1046604-21.tif") as expected:
        oracle = expected.read([1, 2, 3]).transpose(1, 2, 0).astype(float)

    tile = read_tile(raster, 1087767, 1046604, 21)

    assert tile is not None
    inside = tile.valid & (oracle.sum(axis=2) > 0)
    assert inside.mean() > 0.1
    assert np.abs(tile.rgb[inside] - oracle[inside]).mean() < 6
    best = min(
        ((dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)),
        key=lambda shift: np.abs(np.roll(tile.rgb.astype(float), shift, (1, 0))[inside] - oracle[inside]).mean(),
    )
    assert best == (0, 0), "no shift by a pixel fits better"


@pytest.mark.skipif(not REAL, reason="EDGEWISE_TEST_DATA is not set")
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_our_tiles_are_those_of_rio_tiler(world: World) -> None:
    from rio_tiler.io import Reader

    for name in ("buildings-zanzibar-oam/images/tanzania_sample.tif", "uav-rgba-poznan/dummy_fotomap_small.tif"):
        raster = prepared(world.project, world.owner, Path(str(REAL), name))
        with Reader(str(reading.data_path(raster.cog_path))) as reader:
            for zoom in (raster.maxzoom - 1, raster.maxzoom):
                x, y, _, _ = tile_at(raster, raster.width / 2, raster.height / 2, zoom)
                ours = read_tile(raster, x, y, zoom)
                theirs = reader.tile(x, y, zoom, indexes=(1, 2, 3), reproject_method="bilinear")
                assert ours is not None
                assert (ours.valid == (theirs.mask > 0)).mean() > 0.999
                both = ours.valid & (theirs.mask > 0)
                square = (ours.rgb[both].astype(float) - theirs.data[:3].transpose(1, 2, 0)[both]) ** 2
                assert 10 * np.log10(255**2 / max(square.mean(), 1e-9)) > 40, (name, zoom)


def test_outside_the_data_a_tile_is_transparent_and_always_the_same(world: World, raster: Raster) -> None:
    client = client_of(world.viewer)

    far, edge = client.get(f"/api/rasters/{raster.id}/tiles/5/0/0"), client.get(address(raster, col=2, row=2))

    assert (far.status_code, far["Content-Type"]) == (200, "image/webp")
    assert picture(far)[..., 3].max() == 0
    assert far.content == client.get(f"/api/rasters/{raster.id}/tiles/7/1/1").content
    alpha = picture(edge)[..., 3]
    assert alpha.min() == 0
    assert alpha.max() == 255


def test_hidden_pixels_are_transparent_and_the_others_are_not(world: World, tmp_path: Path) -> None:
    values = checks(600, 600)
    values[:, :, :300] = 0
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", values, nodata=0))

    left, right = (
        read_tile(raster, *tile_at(raster, col, 300, raster.maxzoom)[:2], raster.maxzoom) for col in (60, 540)
    )

    assert left is None or left.valid.mean() < 0.7
    assert right is not None
    assert right.valid.any()
    x, y, across, down = tile_at(raster, 299.0, 300, raster.maxzoom + 2)
    seam = read_tile(raster, x, y, raster.maxzoom + 2)
    assert seam is not None
    hidden = np.nonzero(~seam.valid[int(down)])[0].max() + 1
    assert hidden == pytest.approx(tile_at(raster, 300, 300, raster.maxzoom + 2)[2], abs=3)
    assert across < hidden + 3


def test_a_palette_has_no_colours_in_between(world: World, tmp_path: Path) -> None:
    values = (np.indices((900, 900)).sum(axis=0)[None] // 37 % 2).astype(np.uint8) * 7
    raster = prepared(
        world.project,
        world.owner,
        make_tif(tmp_path / "a.tif", values, palette={0: (255, 0, 0, 255), 7: (0, 0, 255, 255)}),
    )

    for zoom in range(raster.minzoom, raster.maxzoom + 2):
        tile = read_tile(raster, *tile_at(raster, 450, 450, zoom)[:2], zoom)
        assert tile is not None
        assert {tuple(colour) for colour in tile.rgb[tile.valid]} <= {(255, 0, 0), (0, 0, 255)}


@pytest.mark.parametrize(("form", "kind"), [("webp", "image/webp"), ("png", "image/png"), ("jpg", "image/jpeg")])
def test_a_tile_comes_in_three_forms_with_the_same_picture(world: World, raster: Raster, form: str, kind: str) -> None:
    answer = client_of(world.viewer).get(address(raster, f=form))

    assert answer["Content-Type"] == kind
    expected = read_tile(raster, *tile_at(raster, 450, 350, raster.maxzoom)[:2], raster.maxzoom)
    assert expected is not None
    assert picture(answer).shape == (256, 256, 4)
    assert np.abs(picture(answer)[..., :3].astype(int) - expected.rgb).mean() < 4


def test_a_tile_with_the_version_in_its_address_is_kept_for_ever(world: World, raster: Raster) -> None:
    client = client_of(world.viewer)

    fixed = client.get(address(raster, v=raster.version))["Cache-Control"]
    others = {
        client.get(address(raster, **query))["Cache-Control"] for query in ({}, {"v": raster.version + 1}, {"v": "x"})
    }

    assert "immutable" in fixed
    assert "private" in fixed
    assert others == {"private, no-cache"}


def test_a_known_tile_is_not_sent_again(world: World, raster: Raster, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(world.viewer)
    first = client.get(address(raster))
    monkeypatch.setattr(tiles, "_rendered", lambda *args: 1 / 0)

    again = client.get(address(raster), headers={"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]


def test_every_place_form_and_recipe_has_its_own_etag(world: World, raster: Raster) -> None:
    client = client_of(world.owner)
    tags = [client.get(address(raster, **query))["ETag"] for query in ({}, {"f": "png"}, {"zoom": raster.maxzoom - 1})]
    tags.append(client.get(f"/api/rasters/{raster.id}/thumbnail")["ETag"])
    recipe = {"bands": [1, 1, 1], "ranges": [[0, 255]] * 3, "gamma": 1}
    version = client.patch(f"/api/rasters/{raster.id}", {"recipe": recipe}).json()["version"]
    tags.append(client.get(address(raster, v=version))["ETag"])

    assert len(set(tags)) == 5


def test_a_new_recipe_is_seen_at_once_under_its_version(world: World, raster: Raster) -> None:
    client = client_of(world.owner)
    client.force_login(world.owner)
    client.get(address(raster, v=raster.version))
    recipe = {"bands": [1, 1, 1], "ranges": [[0, 20]] * 3, "gamma": 1}
    version = client.patch(f"/api/rasters/{raster.id}", {"recipe": recipe}).json()["version"]

    answer = client.get(address(raster, v=version, f="png"))

    assert picture(answer)[128, 128].tolist() == [255, 255, 255, 255]
    assert "immutable" in answer["Cache-Control"]


def test_unknown_parameters_and_forms_do_nothing(world: World, raster: Raster) -> None:
    client = client_of(world.viewer)
    plain = client.get(address(raster))

    odd = client.get(address(raster, expression="b1*0", rescale="0,1", url="file:///etc/passwd", bidx=2))
    wrong = client.get(address(raster, f="tif"))

    assert odd.content == plain.content
    assert odd["ETag"] == plain["ETag"]
    assert wrong.status_code == 422
    assert wrong.json()["error"]["code"] == "tile.invalid_format"


@pytest.mark.parametrize("place", ["3/8/0", "3/0/8", "27/0/0", "99999999999/0/0", "0/1/0"])
def test_a_tile_beyond_the_grid_does_not_exist(world: World, raster: Raster, place: str) -> None:
    answer = client_of(world.viewer).get(f"/api/rasters/{raster.id}/tiles/{place}")

    assert answer.status_code == 404


def test_who_may_see_tiles(world: World, raster: Raster) -> None:
    for part in ("viewer", "annotator", "reviewer", "owner"):
        assert client_of(getattr(world, part)).get(address(raster)).status_code == 200
    for path in (address(raster), f"/api/rasters/{raster.id}/thumbnail"):
        anonymous, foreign = client_of(None).get(path), client_of(world.stranger).get(path)
        assert (anonymous.status_code, anonymous.json()["error"]["code"]) == (401, "auth.required")
        missing = client_of(world.owner).get(path.replace(str(raster.id)[:8], "00000000"))
        assert foreign.status_code == missing.status_code == 404
        assert foreign.json() == missing.json()
        assert "image" not in foreign["Content-Type"]


def test_who_leaves_the_project_sees_no_more_tiles_within_seconds(
    world: World, raster: Raster, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(world.viewer)
    client.force_authenticate(None)
    client.force_login(world.viewer)
    assert client.get(address(raster)).status_code == 200
    remove_member(world.project.id, world.viewer.id, actor=world.owner)

    later = tiles.time.monotonic() + tiles.ACCESS_SECONDS
    monkeypatch.setattr(tiles.time, "monotonic", lambda: later)

    assert tiles.ACCESS_SECONDS <= 5
    assert client.get(address(raster)).status_code == 404


def test_an_unprepared_raster_has_no_tiles(world: World, raster: Raster) -> None:
    Raster.objects.filter(id=raster.id).update(state="preparing")

    answer = client_of(world.viewer).get(address(raster))

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "raster.not_viewable")


def test_a_thumbnail_has_north_up_and_320_pixels(world: World, tmp_path: Path) -> None:
    values = np.zeros((1, 1000, 500), np.uint8)
    values[0, :500] = 200
    path = make_tif(tmp_path / "a.tif", values, transform=PLACES["south-up"][1])
    raster = prepared(world.project, world.owner, path)

    seen = picture(client_of(world.viewer).get(f"/api/rasters/{raster.id}/thumbnail"))

    assert seen.shape == (320, 160, 4)
    assert seen[300, 80, 0] > seen[20, 80, 0], "the first row lies in the south"


def test_tilejson_leads_to_the_tiles(world: World, raster: Raster) -> None:
    client = client_of(world.viewer)

    said = body(client.get(f"/api/rasters/{raster.id}/tilejson.json"))

    assert said["tilejson"] == "3.0.0"
    assert (said["minzoom"], said["maxzoom"]) == (raster.minzoom, raster.maxzoom)
    west, south, east, north = said["bounds"]
    assert west < said["center"][0] < east
    assert south < said["center"][1] < north
    x, y, _, _ = tile_at(raster, 450, 350, raster.maxzoom)
    url = said["tiles"][0].format(z=raster.maxzoom, x=x, y=y)
    answer = client.get(url.removeprefix("http://testserver"))
    assert answer.status_code == 200
    assert "immutable" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("dtype", "bands"), [("uint8", 6), ("int16", 1), ("float32", 1), ("float32", 5), ("uint16", 2)]
)
@pytest.mark.parametrize("alpha", [False, True])
def test_outside_is_transparent_whatever_the_type_and_the_bands(
    world: World, tmp_path: Path, dtype: str, bands: int, alpha: bool
) -> None:
    values = np.stack([checks(600, 600, 1)[0]] * bands).astype(dtype)
    how: dict[str, Any] = {"photometric": "minisblack"}
    kinds = [ColorInterp.gray, *[ColorInterp.undefined] * (bands - 1)]
    if alpha:
        values = np.concatenate([values, np.full((1, 600, 600), 255, dtype)])
        values[-1, :, :200] = 0
        kinds.append(ColorInterp.alpha)
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", values, interpretation=kinds, **how))

    zoom = raster.maxzoom
    x, y, across, down = tile_at(raster, 0, 0, zoom)
    corner = read_tile(raster, x, y, zoom)
    inside = read_tile(raster, *tile_at(raster, 450, 300, zoom)[:2], zoom)

    assert inside is not None
    assert inside.valid.mean() > 0.5
    if corner is not None:
        rows, cols = np.nonzero(corner.valid)
        assert rows.size == 0 or (rows.min() >= int(down) - 2 and cols.min() >= int(across) - 2)
    seen = reading.read_window(raster, Window(0, 0, 600))
    assert seen.valid[:, 200:].all()
    assert seen.valid[:, :200].all() == (not alpha)
    assert seen.valid[:, :200].any() == (not alpha)
