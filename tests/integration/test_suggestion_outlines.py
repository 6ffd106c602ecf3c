"""How suggestions are drawn follows the class they are for."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.projects.models import LabelClass
from backend.rasters.selectors import raster_frame
from backend.segmentation import services
from backend.segmentation.services import Prompts, suggest
from ml.vectorize import FORMS
from tests.support.scenes import Scene, make_scene
from tests.support.worlds import World, make_world

pytestmark = pytest.mark.django_db

Asked = list[dict[str, Any]]


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def scene(world: World, tmp_path: Path, settings: Any) -> Scene:
    settings.DATA_DIR = tmp_path / "data"
    return make_scene(world.project, world.owner, tmp_path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the chosen candidate's outline was asked with, each time."""
    heard: Asked = []
    trace = services.polygon_from_logits

    def listening(*args: Any, **how: Any) -> Any:
        heard.append(how)
        return trace(*args, **how)

    monkeypatch.setattr(services, "polygon_from_logits", listening)
    return heard


def click(scene: Scene, label_class: UUID | None) -> Any:
    return suggest(scene.raster, Prompts(((*scene.roofs[0], 1),), None, label_class))


@pytest.mark.parametrize("form", ["right_angles", "circle"])
def test_a_class_of_a_form_gets_it_on_its_chosen_candidate(world: World, scene: Scene, asked: Asked, form: str) -> None:
    LabelClass.objects.filter(id=world.field.id).update(outline=form)

    suggestion = click(scene, world.field.id)

    assert len(suggestion.candidates) >= 2, "the others come coarse, and as they are"
    (how,) = asked
    assert how["forming"].args[0] is FORMS[form]
    assert tuple(how["forming"].args[1]) == raster_frame(scene.raster).pixel_size_m()


@pytest.mark.parametrize("whose", ["natural", "nobody's", "foreign", "none"])
def test_any_other_class_is_drawn_as_seen(world: World, scene: Scene, asked: Asked, whose: str) -> None:
    foreign = make_world("Elsewhere").field
    LabelClass.objects.filter(id=foreign.id).update(outline="right_angles")
    label_class = {"natural": world.field.id, "nobody's": uuid4(), "foreign": foreign.id, "none": None}[whose]

    assert click(scene, label_class).candidates

    assert len(asked) == 1
    assert asked[0]["forming"] is None
