"""Hazards 1, 2, 3, 5, 6, 20, 22 and 27: files and addresses that are made to harm."""

import http.server
import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.errors import RasterioIOError

from backend.rasters import inspection, processes, reading, sandbox, tiles
from backend.rasters.models import Raster, Upload
from ml.windows import Window
from tests.support.rasters import checks, make_tif, prepared, received, run
from tests.support.worlds import World, client_of, make_world

REAL = os.environ.get("EDGEWISE_TEST_DATA")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def data(settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.DATA_DIR = tmp_path / "data"
    settings.RASTER_FOLDERS = [tmp_path / "surveys"]
    (tmp_path / "surveys").mkdir()
    yield settings.DATA_DIR
    reading.forget_handles()


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def listener() -> Iterator[list[str]]:
    """A server on this machine that notes whoever calls; `heard[0]` is its address."""
    heard: list[str] = []

    class Ear(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    heard.append(f"http://127.0.0.1:{server.server_port}")
    yield heard
    server.shutdown()
    server.server_close()


def refusal(path: Path) -> str:
    """The code with which the inspection refuses a file; empty when it does not."""
    return str(inspection.inspect(str(path)).get("refused", ""))


# 1: a VRT reads files of the server


@pytest.mark.parametrize("name", ["a.tif", "a.tiff", "a.gtif", "A.TIF"])
def test_a_vrt_under_a_geotiffs_name_is_refused_and_opens_nothing(world: World, tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary.raw"
    os.mkfifo(canary)  # to open it for writing succeeds only while somebody reads it
    vrt = f"""<VRTDataset rasterXSize="20" rasterYSize="20"><SRS>EPSG:32633</SRS>
      <GeoTransform>500000, 1, 0, 5200000, 0, -1</GeoTransform>
      <VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">
      <SourceFilename relativeToVRT="0">{canary}</SourceFilename></VRTRasterBand></VRTDataset>"""
    path = tmp_path / name
    path.write_text(vrt)
    raster = received(world.project, world.owner, path)
    read: list[bool] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            try:
                os.close(os.open(canary, os.O_WRONLY | os.O_NONBLOCK))
                read.append(True)
            except OSError:
                stop.wait(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    run(raster)
    stop.set()
    watcher.join()

    assert raster.error["code"] == "raster.not_geotiff"
    assert read == []


def test_a_geotiff_that_names_another_file_as_its_overviews_is_refused(world: World, tmp_path: Path) -> None:
    secret = make_tif(tmp_path / "secret.tif", np.full((1, 512, 512), 200, np.uint8))
    with rasterio.open(secret, "r+") as made:
        made.build_overviews([2, 4])
    evil = make_tif(tmp_path / "evil.tif", np.full((1, 512, 512), 10, np.uint8))
    with rasterio.open(evil, "r+") as made:
        made.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(secret))
    with rasterio.open(evil) as naive:
        assert naive.read(1, out_shape=(64, 64)).max() == 200, "GDAL does follow such a name"

    raster = prepared(world.project, world.owner, evil)

    assert raster.error["code"] == "raster.reaches_out"


def test_even_uninspected_such_a_file_shows_nothing_of_another(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "mine").mkdir()
    secret = make_tif(tmp_path / "theirs" / "secret.tif", np.full((1, 1024, 1024), 200, np.uint8))
    with rasterio.open(secret, "r+") as made:
        made.build_overviews([2, 4])
    evil = make_tif(tmp_path / "mine" / "evil.tif", np.full((1, 1024, 1024), 10, np.uint8))
    with rasterio.open(evil, "r+") as made:
        made.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(secret))
    target = tmp_path / "out" / "cog.tif"
    order = {"source": str(evil), "target": str(target), "crs": "EPSG:32633", "transform": [1, 0, 0, 0, -1, 0]}

    processes.converted(order, lambda: False, lambda share: None)

    with rasterio.open(target) as cog:
        assert cog.overviews(1) == [2]
        assert {int(cog.read(1, out_shape=shape).max()) for shape in ((1024, 1024), (512, 512))} == {10}


def test_a_geotiff_that_names_an_address_calls_nobody(world: World, tmp_path: Path, listener: list[str]) -> None:
    evil = make_tif(tmp_path / "evil.tif")
    with rasterio.open(evil, "r+") as made:
        made.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{listener[0]}/none")

    raster = prepared(world.project, world.owner, evil)

    assert raster.state == "refused"
    assert listener[1:] == []


def test_the_processes_that_open_files_reach_neither_files_nor_addresses(tmp_path: Path, listener: list[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "theirs").write_text("secret")
    program = """
import json, socket, sys
from pathlib import Path
import rasterio
from backend.rasters import sandbox
mine, theirs, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
shut = sandbox.enter(read=[], write=[mine], memory_mb=2048, cpu_seconds=20, file_mb=1)
def tried(what):
    try:
        what()
        return "done"
    except (OSError, ValueError, rasterio.errors.RasterioIOError) as error:
        return type(error).__name__
print(json.dumps({
    "shut": shut,
    "drivers": sorted(rasterio.Env().__enter__().drivers()),
    "mine": tried(lambda: (mine / "a").write_text("x")),
    "read": tried(lambda: theirs.read_text()),
    "write": tried(lambda: (theirs.parent / "b").write_text("x")),
    "passwd": tried(lambda: open("/etc/passwd").read()),
    "connect": tried(lambda: socket.create_connection(("127.0.0.1", port), 2)),
    "curl": tried(lambda: rasterio.open(f"/vsicurl/http://127.0.0.1:{port}/a.tif")),
    "large": tried(lambda: (mine / "c").write_bytes(bytes(2 << 20))),
}))
"""
    port = listener[0].rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "mine"), str(tmp_path / "theirs"), port],
        env=sandbox.environment(), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    said = json.loads(done.stdout)

    assert said["drivers"] == ["COG", "GTiff", "MEM", "VRT"]
    assert said["mine"] == "done"
    assert said["curl"] != "done"
    assert said["large"] == "OSError"
    assert listener[1:] == []
    if not said["shut"]:
        pytest.skip("this kernel has no Landlock: folders and TCP are not shut here")
    assert (said["read"], said["write"], said["passwd"]) == ("PermissionError",) * 3
    assert said["connect"] == "PermissionError"


# 2: other drivers


def test_a_file_of_any_other_driver_is_refused_by_its_first_bytes(world: World, tmp_path: Path) -> None:
    with rasterio.Env() as env:
        known = sorted(env.drivers())
    made = {}
    pixels = rasterio.open(make_tif(tmp_path / "source.tif", checks(32, 32, 1)))
    for driver in known:
        path = tmp_path / f"{driver}.tif"
        try:
            rasterio.shutil.copy(pixels, path, driver=driver)
        except Exception:  # a driver that cannot write, or not this
            continue
        if path.is_file() and driver not in {"GTiff", "COG", "MEM"}:
            made[driver] = path
    pixels.close()
    assert {"PNG", "JPEG", "HFA", "VRT", "GIF", "NITF"} <= set(made)

    verdicts = {driver: refusal(path) for driver, path in made.items()}

    # NITF and others may hold a TIFF deep inside; what counts is how a file begins.
    assert set(verdicts.values()) == {"raster.not_geotiff"}, verdicts


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"I",
        b"II*",
        b"II\x2a\x01",
        b"%PDF-1.4",
        b"\x89HDF\r\n\x1a\n",
        b"SQLite format 3\x00",
        b"<MRF_META>",
        b"PK\x03\x04",
    ],
)
def test_what_does_not_begin_like_a_tiff_is_none(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(start + bytes(64) if len(start) > 3 else start)

    assert refusal(path) == "raster.not_geotiff"


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("start", [b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"])
def test_a_tiffs_first_bytes_and_noise_after_them_are_corrupt(tmp_path: Path, start: bytes) -> None:
    noise = np.random.default_rng(5)
    for _ in range(20):
        path = tmp_path / "a.tif"
        path.write_bytes(start + noise.bytes(400))
        assert refusal(path) in {
            "raster.corrupt",
            "raster.no_georeference",
            "raster.too_large",
            "raster.too_many_bands",
        }


# 3 and 5: names, paths and addresses

PATHS = [
    "/etc/passwd", "../../etc/passwd", "surveys/../../etc/passwd", "surveys//etc/passwd", "/vsicurl/{address}/a.tif",
    "/VSICURL/{address}/a.tif", "surveys/vsicurl/{address}/a.tif", "/vsis3/bucket/a.tif", "/vsigs/bucket/a.tif",
    "/vsiaz/box/a.tif", "/vsizip//vsicurl/{address}/a.zip/a.tif", "/vsitar/a.tar/a.tif", "/vsigzip/a.gz",
    "/vsimem/a.tif",
    "/vsistdin/", "/vsisubfile/0_10,/etc/passwd", "/vsicrypt/key=x,file=/etc/passwd", "/vsihdfs/a.tif", "vrt:///etc/passwd",
    "GTIFF_DIR:1:/etc/passwd", "GTIFF_RAW:/etc/passwd", "NETCDF:/etc/passwd:a", "HDF5:/etc/passwd://a", "WMS:{address}",
    "{address}/a.tif", "file:///etc/passwd", "ftp://127.0.0.1/a.tif", "s3://bucket/a.tif", "%2e%2e/%2e%2e/etc/passwd",
    "surveys/%2e%2e/secret.tif", "surveys\\..\\secret.tif", "surveys/./../secret.tif", "surveys/a.tif\x00.png",
    "surveys/link.tif", "surveys/linked/secret.tif", "surveys/missing.tif", "surveys/notes.txt", "surveys/inner",
    "~/a.tif", "$HOME/a.tif", "surveys/" + "a" * 300 + ".tif", "surveys/" + "a/" * 400 + "b.tif", ".", "..", "surveys",
    "<VRTDataset/>", "{{\"type\":\"x\"}}", "\u202esurveys/a.tif", "SURVEYS/inner/good.tif",
]  # fmt: skip


def test_no_path_that_a_user_chooses_leads_out_or_tells_what_is_there(
    world: World, tmp_path: Path, listener: list[str]
) -> None:
    surveys = tmp_path / "surveys"
    secret = make_tif(tmp_path / "secret.tif")
    (surveys / "link.tif").symlink_to(secret)
    (surveys / "linked").symlink_to(tmp_path)
    (surveys / "notes.txt").write_text("x")
    (surveys / "inner").mkdir()
    make_tif(surveys / "inner" / "good.tif")
    client = client_of(world.owner)
    rasters, folders = (f"/api/projects/{world.project.id}/{name}" for name in ("rasters", "raster-folders"))

    answers = set()
    for path in PATHS:
        said = path.format(address=listener[0])
        answer = client.post(rasters, {"path": said})
        if "\x00" not in said:  # the form itself refuses NUL, with the words of forms
            answers.add((answer.status_code, answer.content))
        assert answer.status_code == 422, said
        if said not in {".", "..", "surveys", "surveys/inner"}:
            listed = client.get(folders, {"path": said})
            assert listed.status_code == 422, said

    assert len(answers) == 1, "one answer for all: missing, forbidden, no raster"
    assert client.post(rasters, {"path": "surveys/inner/good.tif"}).status_code == 201
    assert Raster.objects.count() == 1
    assert listener[1:] == []


def test_the_top_of_the_folders_is_not_left_by_dots(world: World) -> None:
    client = client_of(world.owner)

    for path in (".", "..", "surveys/..", "surveys/../surveys/.."):
        answer = client.get(f"/api/projects/{world.project.id}/raster-folders", {"path": path})
        assert answer.status_code == 422 or answer.json()["files"] == []
        assert b"secret" not in answer.content


def test_a_file_that_is_there_and_one_that_is_not_take_the_same_time(world: World, tmp_path: Path) -> None:
    make_tif(tmp_path / "secret.tif")
    (tmp_path / "surveys" / "there.tif").symlink_to(tmp_path / "secret.tif")
    client = client_of(world.owner)

    def fastest(path: str) -> float:
        seen = []
        for _ in range(15):
            began = time.perf_counter()
            client.post(f"/api/projects/{world.project.id}/rasters", {"path": path})
            seen.append(time.perf_counter() - began)
        return min(seen)

    there, missing = fastest("surveys/there.tif"), fastest("surveys/gone.tif")

    assert abs(there - missing) < 0.003


def test_file_names_and_coordinate_systems_reach_no_address(world: World, listener: list[str], tmp_path: Path) -> None:
    client = client_of(world.owner)
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", crs=None))
    said = [
        listener[0], f"{listener[0]}/crs.wkt", f"/vsicurl/{listener[0]}/a.prj", "ESRI::/etc/passwd", "/etc/passwd",
        f"+proj=longlat +ellps=WGS84 +nadgrids={listener[0]}/a.gsb +type=crs", "+init=/etc/passwd:root",
        f"urn:ogc:def:crs,crs:{listener[0]}", "x" * 100_000, "PROJCS[" * 5_000,
    ]  # fmt: skip

    for crs in said:
        answer = client.post(f"/api/rasters/{raster.id}/crs", {"crs": crs})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "raster.invalid_crs"), crs[:60]

    assert Raster.objects.get(id=raster.id).given_crs == ""
    assert listener[1:] == []


# 6: small files that claim to be huge


def claim(width: int, height: int, bands: int, tile: int = 0, georeferenced: bool = True) -> bytes:
    """A TIFF of a few hundred bytes with these claims and no pixels."""

    def short(tag: int, value: int) -> bytes:
        return struct.pack("<HHIHH", tag, 3, 1, value, 0)

    def long(tag: int, value: int) -> bytes:
        return struct.pack("<HHII", tag, 4, 1, value)

    entries = [long(256, width), long(257, height), short(258, 8), short(259, 1), short(262, 1), short(277, bands)]
    if tile:
        entries += [long(322, tile), long(323, tile), long(324, 8), long(325, 1)]
    else:
        entries += [long(273, 8), long(278, height), long(279, 1)]
    extra = b""
    place = 8 + 2 + 12 * (len(entries) + 3) + 4
    if georeferenced:
        scale = struct.pack("<3d", 1, 1, 0)
        tie = struct.pack("<6d", 0, 0, 0, 500_000, 5_200_000, 0)
        keys = struct.pack("<16H", 1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)
        entries.append(struct.pack("<HHII", 33550, 12, 3, place))
        entries.append(struct.pack("<HHII", 33922, 12, 6, place + 24))
        entries.append(struct.pack("<HHII", 34735, 3, 16, place + 72))
        extra = scale + tie + keys
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    return struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4) + extra


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a million squared", claim(10**6, 10**6, 1)),
        ("a million squared of 255 bands", claim(10**6, 10**6, 255)),
        ("just too wide", claim(400_001, 10, 1)),
        ("tiles of one pixel", claim(300_000, 300_000, 1, tile=16)),
        ("one block of everything", claim(100_000, 100_000, 1)),
        ("four thousand million wide", claim(2**32 - 1, 2**32 - 1, 1)),
        ("65535 bands", claim(100, 100, 65535)),
        ("no width", claim(0, 100, 1)),
    ],
)
def test_a_small_file_with_huge_claims_is_refused_at_once_and_for_little_memory(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    assert len(content) < 1024
    program = """
import json, resource, sys, time
import rasterio
from backend.rasters.inspection import inspect
rasterio.open(sys.argv[2], driver="GTiff").close()
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
said = inspect(sys.argv[1])
taken = time.perf_counter() - began
print(json.dumps([said, taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), str(make_tif(tmp_path / "warm.tif"))],
        env=sandbox.environment(), cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    said, seconds, kilobytes = json.loads(done.stdout)

    assert said["refused"] in {"raster.too_large", "raster.too_many_bands", "raster.too_demanding", "raster.corrupt"}, (
        said
    )
    assert seconds < 0.2
    assert kilobytes < 50 * 1024


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_ring_of_directories_and_a_long_chain_of_them_end(tmp_path: Path) -> None:
    content = bytearray(claim(100, 100, 1))
    count = struct.unpack_from("<H", content, 8)[0]
    struct.pack_into("<I", content, 10 + 12 * count, 8)  # the next directory is the first
    ring = tmp_path / "ring.tif"
    ring.write_bytes(content)
    directory = bytes(content[8 : 10 + 12 * count])
    chain = bytearray(content[: 10 + 12 * count + 4])
    for _ in range(60_000):
        struct.pack_into("<I", chain, len(chain) - 4, len(chain))
        chain += directory + bytes(4)
    long = tmp_path / "chain.tif"
    long.write_bytes(chain)

    for path in (ring, long):
        began = time.monotonic()
        try:
            processes.inspected(path, "")
        except processes.RasterRefusedError as refused:
            assert refused.code in {"raster.corrupt", "raster.too_demanding", "raster.no_georeference"}
        assert time.monotonic() - began < processes.INSPECT_SECONDS


# 20 and 22: paths, ranges and expressions in the addresses of tiles


@pytest.mark.django_db(transaction=True)
def test_addresses_of_tiles_take_no_paths_ranges_or_expressions(tmp_path: Path) -> None:
    world = make_world()
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif"))
    client = client_of(world.viewer)
    whole = client.get(f"/api/rasters/{raster.id}/tiles/0/0/0?f=png")

    ranged = client.get(
        f"/api/rasters/{raster.id}/tiles/0/0/0?f=png",
        headers={"Range": "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(1000))},
    )
    assert (ranged.status_code, ranged.content) == (200, whole.content)
    for path in (
        "/media../etc/passwd", "/static../manage.py", f"/api/rasters/{raster.id}/tiles/0/0/%2e%2e",
        f"/api/rasters/{raster.id}/tiles/0/0/0%00", f"/api/rasters/{raster.id}/tiles/0/0/0.tif",
        f"/api/rasters/{raster.id}/..%2f..%2fetc/passwd", "/api/rasters//vsicurl/x/tiles/0/0/0",
    ):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == 404 or b"<html" in answer.content[:200].lower(), path
        assert b"root:" not in answer.content
    for query in ("expression=__import__('os').system('x')", "algorithm=hillshade", "colormap={}", "url=/etc/passwd"):
        assert client.get(f"/api/rasters/{raster.id}/tiles/0/0/0?f=png&{query}").content == whole.content


# 27: damage


def test_no_bit_that_flips_in_the_stored_picture_shows_as_another_picture(world: World, tmp_path: Path) -> None:
    values = np.random.default_rng(9).integers(0, 255, (1, 256, 256), dtype=np.uint8)
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", values))
    path = reading.data_path(raster.cog_path)
    whole = path.read_bytes()
    window = Window(0, 0, 256)
    right = reading.read_window(raster, window).rgb
    chance = np.random.default_rng(10)
    noticed = 0

    for _ in range(60):
        damaged = bytearray(whole)
        damaged[int(chance.integers(0, len(whole)))] ^= 1 << int(chance.integers(0, 8))
        reading.forget_handles()
        path.write_bytes(damaged)
        try:
            seen = reading.read_window(raster, window)
        except (RasterioIOError, ValueError, IndexError):
            noticed += 1
            continue
        assert (seen.rgb == right).all()
    assert noticed > 30, "most bits are pixels"


def test_a_stored_picture_that_was_cut_off_is_noticed(world: World, tmp_path: Path) -> None:
    values = np.random.default_rng(9).integers(0, 255, (1, 300, 300), dtype=np.uint8)
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif", values))
    path = reading.data_path(raster.cog_path)
    whole = path.read_bytes()

    for kept in range(0, len(whole) - 200, 8 * 1024):
        reading.forget_handles()
        path.write_bytes(whole[:kept])
        with pytest.raises(RasterioIOError):
            reading.read_window(raster, Window(0, 0, 300))


@pytest.mark.django_db(transaction=True)
def test_a_damaged_picture_is_said_and_heals_by_preparing_again(tmp_path: Path) -> None:
    world = make_world()
    tiles._access.clear()
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "a.tif"))
    reading.data_path(raster.cog_path).write_bytes(b"II*\x00 nothing")
    client = client_of(world.owner)

    answer = client.get(f"/api/rasters/{raster.id}/thumbnail")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "raster.damaged")

    client.post(f"/api/rasters/{raster.id}/retry")
    run(raster)
    assert client.get(f"/api/rasters/{raster.id}/thumbnail").status_code == 200


def test_sidecars_cannot_name_other_files(world: World, tmp_path: Path, listener: list[str]) -> None:
    """An .aux.xml may say anything, an overview's address too; it is part of what is inspected."""
    path = make_tif(tmp_path / "source.tif")
    link = f'<MDI key="OVERVIEW_FILE">/vsicurl/{listener[0]}/a.tif</MDI>'
    aux = f'<PAMDataset><Metadata domain="OVERVIEWS">{link}</Metadata></PAMDataset>'
    (tmp_path / "source.tif.aux.xml").write_text(aux)

    raster = prepared(world.project, world.owner, path)

    assert raster.error["code"] == "raster.reaches_out"
    assert listener[1:] == []
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    "aux",
    [
        "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><PAMDataset><SRS>&a;</SRS></PAMDataset>",
        "<PAMDataset>" + "<a>" * 20_000,
        "<PAMDataset><SRS>" + "x" * 200_000 + "</SRS></PAMDataset>",
        "\x00\xff",
    ],
)
def test_a_broken_or_harmful_sidecar_neither_hangs_nor_hurts(world: World, tmp_path: Path, aux: str) -> None:
    path = make_tif(tmp_path / "source.tif", crs=None)
    (tmp_path / "source.tif.aux.xml").write_text(aux, encoding="utf-8")

    raster = prepared(world.project, world.owner, path)

    assert raster.state == "refused"
    assert raster.error["code"] in {"raster.no_crs", "raster.corrupt", "raster.unsupported_crs", "raster.too_demanding"}


def test_a_killed_worker_takes_its_conversion_with_it(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(0, 255, (3, 6000, 6000), dtype=np.uint8)
    source = make_tif(tmp_path / "a.tif", values, tiled=True)
    order = {
        "source": str(source),
        "target": str(tmp_path / "out" / "cog.tif"),
        "crs": "EPSG:32633",
        "transform": [1, 0, 0, 0, -1, 0],
    }
    program = """
import json, sys, django
django.setup()
from backend.rasters import processes
processes.converted(json.loads(sys.argv[1]), lambda: False, lambda share: None)
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(order)],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )
    making = tmp_path / "out"
    end = time.monotonic() + 30
    while not list(making.glob(".making-*/cog.tif*")) and time.monotonic() < end:
        time.sleep(0.02)
    assert list(making.glob(".making-*/cog.tif*")), "the conversion is under way"
    children = [int(pid) for pid in Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()]

    worker.kill()
    worker.wait()

    time.sleep(1)
    assert children
    assert not [pid for pid in children if Path(f"/proc/{pid}/status").exists() and "Z" not in _state(pid)]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"
