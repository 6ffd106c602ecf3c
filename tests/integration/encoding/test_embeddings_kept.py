"""Embeddings over all processes: encoded once whoever asks, kept within the bound, whole whatever is killed when."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from backend.encoding import engine, keeping, services
from backend.encoding.eviction import evict
from backend.encoding.models import EncodeWindow
from backend.encoding.selectors import settled_windows
from backend.jobs.models import Job
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_frame
from backend.segmentation.services import NotEncodedError, Prompts, suggest
from ml.embeddings import Folder, Room
from tests.support.encoding import PLANNED, files, get, rows, run, started
from tests.support.rasters import lonlat_of
from tests.support.worlds import World

EACH = 4_197_500  # bytes of a window as int8
BOUND = 4 * EACH  # of which one raster may take three


@pytest.fixture(autouse=True)
def bounded(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for four windows, and nothing is spared for having been used just now."""
    settings.EMBEDDING_FORMS = {"": "int8"}
    settings.EMBEDDINGS_BYTES = BOUND
    monkeypatch.setattr("ml.embeddings.room.GRACE_SECONDS", -60.0)


def encode(raster: Raster, *numbers: int) -> None:
    """Encodes planned windows one after the other, each used a minute after the last."""
    model = engine.model_of(raster.project_id)
    for number in numbers:
        services.encode_window(raster, PLANNED[number], model)
        place = file_of(raster, number)
        os.utime(place, (1000 + 60 * number, 1000 + 60 * number))


def file_of(raster: Raster, number: int) -> Path:
    key = engine.key_of(raster.id, raster.recipe_hash, engine.model_of(raster.project_id), PLANNED[number])
    shelf = engine.store().shelf
    assert isinstance(shelf, Folder)
    return shelf.root / key.relative_path()


@pytest.mark.django_db
def test_the_least_recently_used_window_goes_and_counts_as_not_encoded_and_comes_back(
    world: World, raster: Raster, data: Path, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("backend.events.services.hint", lambda project, message: told.append(message))
    encode(raster, 0, 1, 2, 3)
    engine.store().use(
        engine.key_of(raster.id, raster.recipe_hash, engine.model_of(raster.project_id), PLANNED[0])
    )  # the oldest is used again

    encode(raster, 4)

    assert set(rows(raster)) == {PLANNED[number] for number in (0, 3, 4)}  # with a little room to spare
    assert len(files(data)) == len(rows(raster))
    assert sum(path.stat().st_size for path in files(data)) <= BOUND
    gone = [message["window"] for message in told if message.get("state") == "planned"]
    assert {"col": PLANNED[1].col, "row": PLANNED[1].row, "size": 1024} in gone
    assert PLANNED[1] not in settled_windows(raster, engine.model_of(raster.project_id))

    encode(raster, 1)

    assert rows(raster)[PLANNED[1]] == "ready"
    assert len(encoded) == 6


@pytest.mark.django_db
def test_what_belongs_to_an_older_recipe_goes_first(world: World, raster: Raster, data: Path) -> None:
    encode(raster, 3)
    before = file_of(raster, 3)
    os.utime(before, (9e8, 9e8))  # used after all the others
    Raster.objects.filter(id=raster.id).update(recipe_hash="f" * 64)
    raster.refresh_from_db()

    encode(raster, 0, 1, 2, 4)

    assert not before.exists()
    assert EncodeWindow.objects.filter(raster=raster).count() == len(files(data)) == 3
    assert set(EncodeWindow.objects.values_list("col", "row")) == {
        (w.col, w.row) for w in (PLANNED[i] for i in (1, 2, 4))
    }
    assert set(EncodeWindow.objects.values_list("recipe_hash", flat=True)) == {"f" * 64}


@pytest.mark.django_db
def test_the_plan_says_how_much_fits_and_the_job_encodes_no_more(
    world: World, raster: Raster, data: Path, encoded: list[int]
) -> None:
    said = get(world, f"/api/rasters/{raster.id}/encode-plan")
    assert (said["windows"], said["fits"], said["ready"]) == (6, 3, 0)
    assert said["megabytes"] == pytest.approx(3 * EACH / 1e6, abs=0.1)
    across, down = raster_frame(raster).pixel_size_m()
    assert said["megabytes_per_km2"] == pytest.approx(6 * EACH / (2000 * across * 1100 * down), rel=0.01)

    job = run(started(world, raster))

    assert (job.state, job.total, job.done, len(encoded)) == ("done", 3, 3, 3)
    assert set(rows(raster)) == set(PLANNED[:3])
    run(started(world, raster))
    assert len(encoded) == 3  # nothing was driven out, so nothing is done twice


@pytest.mark.django_db
def test_without_a_bound_all_windows_fit(world: World, raster: Raster) -> None:
    with override_settings(EMBEDDINGS_BYTES=None):
        assert get(world, f"/api/rasters/{raster.id}/encode-plan")["fits"] == 6
        assert keeping.windows_that_fit(1.0) is None


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["float16", "float16-zstd", "int8", "int8-zstd"])
def test_a_click_on_a_damaged_window_is_pending_and_the_window_is_encoded_again(
    world: World, raster: Raster, form: str, settings: Any, encoded: list[int]
) -> None:
    settings.EMBEDDING_FORMS = {"": form}
    settings.EMBEDDINGS_BYTES = None
    encode(raster, 0)
    place = file_of(raster, 0)
    whole = place.read_bytes()
    click = Prompts(((*lonlat_of(raster, 300, 300), 1),))
    for spoilt in (whole[:-1], whole[:200] + bytes([whole[200] ^ 4]) + whole[201:], b"", whole + b"x"):
        place.write_bytes(spoilt)
        engine.cache().forget(
            engine.key_of(raster.id, raster.recipe_hash, engine.model_of(raster.project_id), PLANNED[0])
        )

        with pytest.raises(NotEncodedError) as missing:
            suggest(raster, click)

        assert missing.value.window == PLANNED[0]
        assert rows(raster) == {}
        assert not place.exists()
        encode(raster, 0)
        assert place.read_bytes() == whole
    assert len(encoded) == 5


CHILD = """
import os, sys, threading, time
import django; django.setup()
from django.conf import settings
from pathlib import Path
settings.DATA_DIR = Path(sys.argv[1]) / "data"; settings.MODEL_DIRS = [Path(sys.argv[1]) / "models"]
settings.MODEL = ""; settings.EMBEDDING_FORMS = {"": "int8"}; settings.EMBEDDINGS_BYTES = None
from backend.encoding import engine, eviction, services
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_frame
from ml.embeddings import Folder, Room, EmbeddingStore, room
from ml.encode import OnnxEncoder
from tests.support.encoding import PLANNED
raster = Raster.objects.get(id=sys.argv[2]); model = engine.model_of(raster.project_id)
key = engine.key_of(raster.id, raster.recipe_hash, model, PLANNED[0])
def die(*_, **__): os.kill(os.getpid(), 9)
"""


def child(tmp_path: Path, raster: Raster, code: str) -> "subprocess.Popen[str]":
    """A process of its own, with the tests' database."""
    parts = connection.settings_dict
    url = f"postgres://{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"
    env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    words = [sys.executable, "-c", CHILD + code, str(tmp_path), str(raster.id)]
    return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)


FIFTY = """
encode = OnnxEncoder.encode
def counted(self, pixels):
    with open(sys.argv[1] + "/encodes", "a") as file: file.write("x")
    time.sleep(0.5)
    return encode(self, pixels)
OnnxEncoder.encode = counted
reads = []
read = EmbeddingStore._read
def seen(self, key):
    reads.append(key); time.sleep(0.2)
    return read(self, key)
EmbeddingStore._read = seen
gate = Path(sys.argv[1]) / "go"
print("ready", flush=True)
while not gate.exists(): time.sleep(0.01)
assert services.encode_window(raster, PLANNED[0], model) == "ready"
got = []
askers = [threading.Thread(target=lambda: got.append(engine.embedding(key))) for _ in range(50)]
[one.start() for one in askers]; [one.join() for one in askers]
print(len(reads), len(got), len(set(map(id, got))))
"""


@pytest.mark.django_db(transaction=True)
def test_fifty_people_in_each_of_three_processes_cause_one_encode_and_one_read_a_process(
    raster: Raster, tmp_path: Path
) -> None:
    """Web processes and workers alike: each asks for the same window at the same moment."""
    processes = [child(tmp_path, raster, FIFTY) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()

    said = [process.communicate(timeout=120)[0] for process in processes]

    assert (tmp_path / "encodes").read_text() == "x"
    assert said == ["1 50 1\n"] * 3
    assert rows(raster) == {PLANNED[0]: "ready"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("moment", "code", "left"),
    [
        ("before the row", "eviction._forget_row = die; eviction.evict(small)", (2, 2)),
        ("between row and file", "Room.let_go = die; eviction.evict(small)", (1, 2)),
        ("before a new file", "Folder.write = die; services.encode_window(raster, PLANNED[2], model)", (2, 2)),
        ("while it is written", "os.fsync = die; services.encode_window(raster, PLANNED[2], model)", (2, 2)),
        ("between file and row", "services._settle = die; services.encode_window(raster, PLANNED[2], model)", (2, 3)),
    ],
)
def test_a_process_that_is_killed_leaves_no_row_without_its_file_and_no_lock(
    raster: Raster, data: Path, tmp_path: Path, moment: str, code: str, left: tuple[int, int], settings: Any
) -> None:
    settings.EMBEDDINGS_BYTES = None
    encode(raster, 0, 1)
    small = "small = Room(Folder(settings.DATA_DIR / 'embeddings'), 5_000_000); room.GRACE_SECONDS = -60\n"

    process = child(tmp_path, raster, small + code)
    process.communicate(timeout=120)

    assert process.returncode == -9, moment
    whole = [path for path in files(data) if not path.name.startswith(".")]
    assert (EncodeWindow.objects.count(), len(whole)) == left
    for row in EncodeWindow.objects.all():
        assert (data / "embeddings" / row.path).stat().st_size == row.nbytes
    encode(raster, 0, 1, 2)  # nobody holds a lock, and what is missing is made
    assert set(rows(raster)) == {PLANNED[0], PLANNED[1], PLANNED[2]}
    assert evict(Room(Folder(data / "embeddings"), 5_000_000)) == 2
    assert len(rows(raster)) == len([path for path in files(data) if not path.name.startswith(".")]) == 1
    assert not Job.objects.filter(kind="encode").exists()
