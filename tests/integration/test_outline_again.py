"""An accepted outline is drawn again by another recipe, from the mask that was kept or from its clicks."""

import math
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from shapely import affinity
from shapely.geometry import box

from backend.annotations.models import Annotation, Revision, Status
from backend.encoding import engine
from backend.encoding.engine import default_model, store
from backend.encoding.eviction import evict
from backend.encoding.services import forget_window
from backend.events.models import Event
from backend.outlines import masks
from backend.projects.models import LabelClass
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_frame
from backend.segmentation.services import forget_all
from ml.embeddings import Folder, Mask, Room
from ml.embeddings import room as rooms
from ml.windows import Window
from tests.support.scenes import ENCODED, Scene, bare_raster, make_scene
from tests.support.worlds import World, client_of, make_world, new_annotation, square
from tests.unit.ml.test_outlining import logits_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def scene(world: World, tmp_path: Path, settings: Any) -> Scene:
    settings.DATA_DIR = tmp_path / "data"
    return make_scene(world.project, world.owner, tmp_path)


@pytest.fixture
def raster(world: World, tmp_path: Path, settings: Any) -> Raster:
    """A row without a file: what is outlined from a mask that was kept needs no pixels."""
    settings.DATA_DIR = tmp_path / "data"
    return bare_raster(world.project, world.owner)


def l_shaped() -> Mask:
    """A building of 300 by 200 px with rough walls, in a window of 1024."""
    building = affinity.rotate(box(300, 300, 600, 500).difference(box(450, 400, 600, 500)), 17)
    noise = np.random.default_rng(0).normal(0, 0.5, (256, 256))
    return Mask((logits_of(building) + noise).astype(np.float32), Window(0, 0, 1024))


def stored(world: World, raster: Raster, at: tuple[float, float] | None = None) -> str:
    """An annotation that the annotator made by a click in the middle of the building, or elsewhere."""
    lon, lat = at or raster_frame(raster).lonlat_from_pixel([[380, 400]])[0].tolist()
    provenance = {"kind": "suggested", "prompts": [{"lon": lon, "lat": lat, "label": 1}]}
    corner = square(round(lon, 6), round(lat, 6), 0.00001)
    body = new_annotation(world, raster=str(raster.id), provenance=provenance, geometry=corner)
    own = str(uuid4())
    assert client_of(world.annotator).put(f"/api/annotations/{own}", body).status_code == 201
    return own


def keep(world: World, raster: Raster, own: str, user: Any = None) -> bool:
    who = user or world.annotator
    return masks.keep(UUID(own), world.project.id, who.id, raster.id, l_shaped())


def again(user: Any, own: str, **recipe: Any) -> Any:
    return client_of(user).post(f"/api/annotations/{own}/outline", {"recipe": recipe})


def test_another_recipe_is_shown_and_nothing_is_stored(world: World, raster: Raster) -> None:
    own = stored(world, raster)
    assert keep(world, raster, own)
    before = (Annotation.objects.get(id=own).version, Event.objects.count())

    fine, rough = again(world.annotator, own), again(world.annotator, own, tolerance_m=20)

    assert (fine.status_code, rough.status_code) == (200, 200)
    assert fine.json()["source"] == "kept"
    assert fine.json()["vertices"] > rough.json()["vertices"] >= 3
    assert fine.json()["raw_vertices"] > fine.json()["vertices"]
    assert fine.json()["iou"] > 0.9
    assert (Annotation.objects.get(id=own).version, Event.objects.count()) == before


def test_what_is_shown_is_accepted_as_one_edit_that_is_guarded_and_can_be_undone(world: World, raster: Raster) -> None:
    own = stored(world, raster)
    keep(world, raster, own)
    client, address = client_of(world.annotator), f"/api/annotations/{own}"
    was = client.get(address).json()["geometry"]
    shown = again(world.annotator, own, form="right_angles").json()["geometry"]

    edit = {"version": 1, "edit_id": str(uuid4()), "geometry": shown}
    after = client.patch(address, edit).json()
    late = client.patch(address, {**edit, "edit_id": str(uuid4())})
    undone = client.patch(address, {"version": 2, "edit_id": str(uuid4()), "geometry": was}).json()

    assert (after["geometry"], after["version"]) == (shown, 2)
    assert (late.status_code, late.json()["error"]["code"]) == (409, "annotation.conflict")
    assert undone["geometry"] == was
    assert again(world.annotator, own, form="right_angles").json()["geometry"] == shown, "the mask is still there"
    assert list(Revision.objects.filter(annotation_id=own).values_list("kind", flat=True)) == [
        "created", "updated", "updated",
    ]  # fmt: skip


def test_without_its_mask_it_is_decoded_again_and_said_so_and_without_embedding_it_says_what_to_do(
    world: World, scene: Scene
) -> None:
    own = stored(world, scene.raster, scene.roofs[0])
    decoded = again(world.annotator, own).json()

    forget_window(scene.raster, ENCODED, default_model())
    engine.cache.cache_clear()
    forget_all()
    gone = again(world.annotator, own)

    assert (decoded["source"], decoded["model"]) == ("decoded", default_model().name)
    assert decoded["area_m2"] > 0
    assert (gone.status_code, gone.json()["error"]["code"]) == (409, "outline.not_encoded")


def test_a_shape_that_was_drawn_has_no_mask(world: World, raster: Raster) -> None:
    own = str(uuid4())
    client_of(world.annotator).put(f"/api/annotations/{own}", new_annotation(world, raster=str(raster.id)))

    answer = again(world.annotator, own)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "outline.no_mask")


def test_a_recipe_of_another_geometry_or_none_at_all_is_refused(world: World, raster: Raster) -> None:
    own = stored(world, raster)
    keep(world, raster, own)

    lines, unknown = again(world.annotator, own, form="centreline"), again(world.annotator, own, form="star")

    assert (lines.status_code, lines.json()["error"]["code"]) == (422, "outline.other_geometry")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (422, "recipe.invalid")


@pytest.mark.parametrize(("who", "status"), [("annotator", 403), ("reviewer", 200), ("viewer", 403), ("stranger", 404)])
def test_only_who_may_edit_accepted_work_outlines_it_again(world: World, raster: Raster, who: str, status: int) -> None:
    own = stored(world, raster)
    keep(world, raster, own)
    Annotation.objects.filter(id=own).update(status=Status.ACCEPTED)

    assert again(world.users()[who], own).status_code == status


def test_a_deleted_shape_is_not_outlined_again(world: World, raster: Raster) -> None:
    own = stored(world, raster)
    keep(world, raster, own)
    client_of(world.annotator).delete(f"/api/annotations/{own}", {"version": 1, "edit_id": str(uuid4())})

    assert again(world.annotator, own).json()["error"]["code"] == "annotation.deleted"


def test_where_borders_are_shared_it_is_shown_as_it_would_be_stored(world: World, raster: Raster) -> None:
    own = stored(world, raster)
    keep(world, raster, own)
    whole = again(world.annotator, own).json()
    LabelClass.objects.filter(id=world.field.id).update(shared_border_m=0.5)
    ring = np.array(whole["geometry"]["coordinates"][0])
    (west, south), (east, north) = ring.min(axis=0), ring.max(axis=0)
    half = [[west, south], [(west + east) / 2, south], [(west + east) / 2, north], [west, north], [west, south]]
    neighbour = new_annotation(world, geometry={"type": "Polygon", "coordinates": [np.round(half, 9).tolist()]})
    assert client_of(world.annotator).put(f"/api/annotations/{uuid4()}", neighbour).status_code == 201

    shown = again(world.annotator, own).json()

    assert shown["area_m2"] < 0.75 * whole["area_m2"]


def test_nobody_keeps_a_mask_under_anothers_annotation_or_replaces_one(world: World, raster: Raster) -> None:
    own = stored(world, raster)
    foreign = world.stranger

    assert not keep(world, raster, own, world.colleague)
    assert not masks.keep(UUID(own), world.foreign_project.id, foreign.id, raster.id, l_shaped())
    assert store().mask_of(str(raster.id), own) is None
    assert keep(world, raster, own)
    assert not keep(world, raster, own)


def test_a_mask_goes_with_its_raster(world: World, raster: Raster, django_capture_on_commit_callbacks: Any) -> None:
    own = stored(world, raster)
    keep(world, raster, own)

    with django_capture_on_commit_callbacks(execute=True):
        assert client_of(world.owner).delete(f"/api/rasters/{raster.id}").status_code == 204

    assert store().mask_of(str(raster.id), own) is None
    assert again(world.annotator, own).json()["error"]["code"] == "outline.no_raster"


def test_a_mask_goes_with_its_project(world: World, raster: Raster, django_capture_on_commit_callbacks: Any) -> None:
    own = stored(world, raster)
    keep(world, raster, own)

    with django_capture_on_commit_callbacks(execute=True):
        answer = client_of(world.owner).delete(f"/api/projects/{world.project.id}", {"confirm_name": "Harbour"})

    assert answer.status_code == 204
    assert store().mask_of(str(raster.id), own) is None


def test_a_mask_counts_in_the_bound_and_what_is_past_goes_before_it(
    world: World, raster: Raster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = stored(world, raster)
    keep(world, raster, own)
    monkeypatch.setattr(rooms, "GRACE_SECONDS", -math.inf)
    folder = Folder(tmp_path / "data" / "embeddings")
    past = Path(str(raster.id), "0" * 16, "0" * 16, "0_0_1024.ewe")
    folder.write(past, b"x" * 1000)
    total = sum(entry.nbytes for entry in folder.entries())

    assert evict(Room(folder, total - 1)) >= 1

    assert folder.size(past) is None
    assert store().mask_of(str(raster.id), own) is not None
