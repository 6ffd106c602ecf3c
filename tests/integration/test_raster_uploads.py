"""The upload of files by the tus protocol, as a client speaks it: in pieces, resumed, given up."""

import base64
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.clock import now
from backend.events.models import Event
from backend.jobs.models import Job
from backend.rasters import uploads
from backend.rasters.models import Raster, Upload
from tests.support.rasters import body, checks, make_tif, run
from tests.support.worlds import World, client_of, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    return settings.DATA_DIR


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def tif(tmp_path: Path) -> bytes:
    return make_tif(tmp_path / "field.tif", checks(300, 300)).read_bytes()


def said(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def begin(world: World, length: int, user: Any = None, **pairs: str) -> Any:
    return client_of(user or world.owner).post(
        f"/api/projects/{world.project.id}/uploads",
        headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(length), "Upload-Metadata": said(**pairs)},
    )


def piece(world: World, address: str, offset: int, data: bytes, user: Any = None, **headers: str) -> Any:
    return client_of(user or world.owner).generic(
        "PATCH",
        address,
        data,
        content_type="application/offset+octet-stream",
        headers={"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset), **headers},
    )


def offset_of(world: World, address: str) -> int:
    answer = client_of(world.owner).head(address, headers={"Tus-Resumable": "1.0.0"})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    return int(answer["Upload-Offset"])


def test_the_server_says_what_it_can(world: World) -> None:
    answer = client_of(world.owner).options(f"/api/projects/{world.project.id}/uploads")

    assert answer.status_code == 204
    assert answer["Tus-Resumable"] == "1.0.0"
    assert set(answer["Tus-Extension"].split(",")) == {"creation", "termination"}
    assert int(answer["Tus-Max-Size"]) > 10 * 1024**3


def test_a_file_in_three_pieces_becomes_a_viewable_raster(world: World, tif: bytes) -> None:
    made = begin(world, len(tif), filename="field.tif", name="My field")
    assert made.status_code == 201
    raster = Raster.objects.get(id=made["Upload-Raster"])
    assert (raster.state, raster.name) == ("uploading", "My field")

    third = len(tif) // 3
    for start in (0, third, 2 * third):
        end = len(tif) if start == 2 * third else start + third
        answer = piece(world, made["Location"], start, tif[start:end])
        assert answer.status_code == 204
        assert answer["Upload-Offset"] == str(end)

    raster.refresh_from_db()
    assert raster.state == "inspecting"
    run(raster)
    assert raster.state == "viewable"
    assert body(client_of(world.owner).get(f"/api/rasters/{raster.id}"))["upload"] is None


def test_the_card_shows_how_much_has_arrived(world: World, tif: bytes) -> None:
    made = begin(world, len(tif), filename="field.tif")
    piece(world, made["Location"], 0, tif[:1000])

    card = body(client_of(world.viewer).get(f"/api/rasters/{made['Upload-Raster']}"))

    assert card["state"] == "uploading"
    assert card["upload"] == {"id": made["Location"].rsplit("/", 1)[-1], "offset": 1000, "length": len(tif)}


def test_after_a_lost_connection_the_client_asks_and_goes_on(world: World, tif: bytes, data: Path) -> None:
    made = begin(world, len(tif), filename="field.tif")
    piece(world, made["Location"], 0, tif[:1000])
    # A killed server may have written more than it could store in its row.
    source = data / "rasters" / made["Upload-Raster"] / "source.tif"
    source.write_bytes(source.read_bytes() + b"half a piece")

    assert offset_of(world, made["Location"]) == 1000
    assert piece(world, made["Location"], 1000, tif[1000:]).status_code == 204
    assert source.read_bytes() == tif


@pytest.mark.parametrize("offset", [0, 999, 1001])
def test_a_piece_at_another_place_is_refused_and_nothing_changes(world: World, tif: bytes, offset: int) -> None:
    made = begin(world, len(tif), filename="field.tif")
    piece(world, made["Location"], 0, tif[:1000])

    answer = piece(world, made["Location"], offset, b"x" * 100)

    assert answer.status_code == 409
    assert body(answer)["error"]["details"] == {"offset": 1000}
    assert offset_of(world, made["Location"]) == 1000


def test_more_bytes_than_promised_are_refused_and_nothing_changes(world: World, tif: bytes) -> None:
    made = begin(world, 100, filename="field.tif")

    answer = piece(world, made["Location"], 0, b"x" * 101)

    assert answer.status_code == 413
    assert offset_of(world, made["Location"]) == 0
    assert piece(world, made["Location"], 0, b"x" * 100).status_code == 204


def test_a_finished_upload_takes_no_more(world: World, tif: bytes) -> None:
    made = begin(world, len(tif), filename="field.tif")
    piece(world, made["Location"], 0, tif)

    assert piece(world, made["Location"], len(tif), b"more").status_code == 404
    assert client_of(world.owner).delete(made["Location"]).status_code == 404
    assert Job.objects.filter(kind="prepare").count() == 1
    assert offset_of(world, made["Location"]) == len(tif)


def test_an_upload_that_is_given_up_leaves_nothing(world: World, tif: bytes, data: Path) -> None:
    made = begin(world, len(tif), filename="field.tif")
    piece(world, made["Location"], 0, tif[:1000])

    assert client_of(world.owner).delete(made["Location"]).status_code == 204

    assert not Raster.objects.filter(id=made["Upload-Raster"]).exists()
    assert not Upload.objects.exists()
    kinds = list(Event.objects.filter(kind__startswith="raster").order_by("seq").values_list("kind", flat=True))
    assert kinds == ["raster.created", "raster.deleted"]


def test_the_files_of_a_given_up_upload_go_with_the_commit(
    world: World, tif: bytes, data: Path, django_capture_on_commit_callbacks: Any
) -> None:
    made = begin(world, len(tif), filename="field.tif")
    with django_capture_on_commit_callbacks(execute=True):
        client_of(world.owner).delete(made["Location"])

    assert list((data / "rasters").iterdir()) == []


def test_uploads_of_which_nothing_came_for_days_are_removed(world: World, tif: bytes) -> None:
    old, new = (begin(world, 1000, filename="field.tif")["Upload-Raster"] for _ in range(2))
    Upload.objects.filter(raster_id=old).update(updated_at=now() - uploads.STALE - timedelta(hours=1))

    begin(world, 1000, filename="third.tif")

    assert not Raster.objects.filter(id=old).exists()
    assert Raster.objects.filter(id=new).exists()


@pytest.mark.parametrize(
    ("length", "filename", "status", "code"),
    [
        (0, "a.tif", 422, "upload.empty"),
        (10**15 - 1, "a.tif", 413, "upload.too_large"),
        (1000, "a.png", 422, "upload.not_geotiff"),
        (1000, "a.tif.vrt", 422, "upload.not_geotiff"),
        (1000, "", 422, "upload.not_geotiff"),
        (1000, "tif", 422, "upload.not_geotiff"),
    ],
)
def test_what_cannot_be_taken_is_refused_before_a_byte_is_sent(
    world: World, length: int, filename: str, status: int, code: str
) -> None:
    answer = begin(world, length, filename=filename)

    assert (answer.status_code, body(answer)["error"]["code"]) == (status, code)
    assert not Raster.objects.exists()


@pytest.mark.parametrize("filename", ["a.tif", "A.TIF", "b.tiff", "c.gtif", "d.GTiff"])
def test_every_usual_ending_of_a_geotiff_is_taken(world: World, filename: str) -> None:
    assert begin(world, 1000, filename=filename).status_code == 201


def test_without_room_on_the_disk_nothing_begins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=uploads.SPARE_DISK + 1000))

    answer = begin(world, 600, filename="a.tif")

    assert answer.status_code == 503
    assert body(answer)["error"]["code"] == "upload.no_disk"
    assert not Raster.objects.exists()


def test_room_promised_to_others_is_not_promised_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=uploads.SPARE_DISK + 2500))

    assert begin(world, 1000, filename="a.tif").status_code == 201
    assert begin(world, 1000, filename="b.tif").status_code == 503


def test_one_person_cannot_leave_more_than_twenty_uploads_lying(world: World) -> None:
    for _ in range(uploads.OPEN_UPLOADS_PER_USER):
        assert begin(world, 1000, filename="a.tif").status_code == 201

    assert begin(world, 1000, filename="a.tif").status_code == 409


@pytest.mark.parametrize(
    "headers",
    [
        {"Upload-Length": "1000"},
        {"Tus-Resumable": "0.2.2", "Upload-Length": "1000"},
        {"Tus-Resumable": "1.0.0"},
        {"Tus-Resumable": "1.0.0", "Upload-Length": "-1"},
        {"Tus-Resumable": "1.0.0", "Upload-Length": "1e3"},
        {"Tus-Resumable": "1.0.0", "Upload-Length": "٣"},
        {"Tus-Resumable": "1.0.0", "Upload-Length": "1000", "Upload-Metadata": "filename !!!"},
        {"Tus-Resumable": "1.0.0", "Upload-Length": "1000", "Upload-Metadata": "filename /w=="},
    ],
)
def test_a_beginning_that_is_not_tus_is_refused(world: World, headers: dict[str, str]) -> None:
    answer = client_of(world.owner).post(f"/api/projects/{world.project.id}/uploads", headers=headers)

    assert answer.status_code == 422
    assert not Raster.objects.exists()


def test_a_piece_of_another_kind_of_content_is_refused(world: World) -> None:
    made = begin(world, 10, filename="a.tif")

    answer = client_of(world.owner).generic(
        "PATCH", made["Location"], b"{}", content_type="application/json",
        headers={"Tus-Resumable": "1.0.0", "Upload-Offset": "0"},
    )  # fmt: skip

    assert answer.status_code in (415, 422)
    assert offset_of(world, made["Location"]) == 0


def test_names_with_paths_and_control_characters_become_plain(world: World) -> None:
    made = begin(world, 10, filename="../../etc/cron.d/evil\x00\n.tif", name="a\x00b\x1b[31m\u202ec")

    raster = Raster.objects.get(id=made["Upload-Raster"])
    assert Upload.objects.get(raster=raster).filename == "evil__.tif"
    assert raster.name == "ab[31mc"
    assert raster.source_path == f"rasters/{raster.id}/source.tif"


def test_a_world_file_and_a_crs_repair_a_file_that_says_nothing(world: World, tmp_path: Path) -> None:
    bare = make_tif(tmp_path / "bare.tif", crs=None, transform=None).read_bytes()
    made = begin(world, len(bare), filename="bare.tif")
    piece(world, made["Location"], 0, bare)
    raster = Raster.objects.get(id=made["Upload-Raster"])
    run(raster)
    assert raster.error["code"] == "raster.no_georeference"

    world_file = b"0.5\n0\n0\n-0.5\n500000.25\n5199999.75\n"
    beside = begin(world, len(world_file), filename="bare.tfw", sidecar_for=str(raster.id))
    assert beside.status_code == 201
    assert piece(world, beside["Location"], 0, world_file).status_code == 204
    run(raster)
    assert raster.error["code"] == "raster.no_crs"

    answer = client_of(world.owner).post(f"/api/rasters/{raster.id}/crs", {"crs": "EPSG:32633"})
    assert answer.status_code == 200
    run(raster)
    assert raster.state == "viewable"
    assert raster.transform == [0.5, 0, 500_000, 0, -0.5, 5_200_000]


def test_a_sidecar_goes_only_beside_an_uploaded_raster_of_the_same_project(world: World, tif: bytes) -> None:
    made = begin(world, len(tif), filename="field.tif")
    elsewhere = make_world("Elsewhere")

    foreign = begin(elsewhere, 10, filename="a.tfw", sidecar_for=made["Upload-Raster"])
    nonsense = begin(world, 10, filename="a.tfw", sidecar_for="../../x")
    unknown = begin(world, 10, filename="a.exe", sidecar_for=made["Upload-Raster"])

    assert (foreign.status_code, nonsense.status_code, unknown.status_code) == (404, 404, 422)
    assert Upload.objects.count() == 1


@pytest.mark.parametrize(
    ("part", "status"), [("viewer", 403), ("annotator", 403), ("reviewer", 403), ("stranger", 404)]
)
def test_only_owners_upload_and_see_to_uploads(world: World, tif: bytes, part: str, status: int) -> None:
    who = getattr(world, part)
    made = begin(world, len(tif), filename="field.tif")

    assert begin(world, 10, user=who, filename="a.tif").status_code == status
    assert piece(world, made["Location"], 0, tif, user=who).status_code == status
    assert client_of(who).head(made["Location"]).status_code == status
    assert client_of(who).delete(made["Location"]).status_code == status
    assert Upload.objects.get().offset == 0


def test_without_signing_in_nothing_can_be_uploaded(world: World, tif: bytes) -> None:
    made = begin(world, len(tif), filename="field.tif")
    anonymous = client_of(None)

    assert anonymous.post(f"/api/projects/{world.project.id}/uploads").status_code == 401
    assert anonymous.head(made["Location"]).status_code == 401
    assert anonymous.delete(made["Location"]).status_code == 401
