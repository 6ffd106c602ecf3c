"""How suggestions are drawn follows the class they are for."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.projects.models import LabelClass
from backend.rasters.selectors import raster_frame
from backend.segmentation import outlines
from backend.segmentation.services import Prompts, StoppedError, suggest
from ml.decode import OnnxDecoder
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
    trace = outlines.polygon_from_logits

    def listening(*args: Any, **how: Any) -> Any:
        if "forming" in how:
            heard.append(how)
        return trace(*args, **how)

    monkeypatch.setattr(outlines, "polygon_from_logits", listening)
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


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sides of the fields that were decoded."""
    sides: list[int] = []
    decode = OnnxDecoder.decode

    def listening(self: Any, *args: Any) -> Any:
        found = decode(self, *args)
        sides.append(found.field.cols)
        return found

    monkeypatch.setattr(OnnxDecoder, "decode", listening)
    return sides


def test_another_candidate_of_the_same_prompts_is_drawn_without_decoding_again(
    scene: Scene, decodes: list[int]
) -> None:
    prompts = Prompts(((*scene.roofs[0], 1),))
    first = suggest(scene.raster, prompts)
    other = first.candidates[1]["index"]

    again = suggest(scene.raster, prompts, first.memory, wanted=other)

    assert decodes == [64]
    assert [one["index"] for one in again.candidates] == [one["index"] for one in first.candidates]
    assert (again.chosen, again.candidates[1]["digits"]) == (1, first.candidates[0]["digits"])
    assert again.memory is not None
    assert again.memory.seen.logits is first.memory.decoded.of(other).logits  # type: ignore[union-attr]

    suggest(scene.raster, Prompts(((*scene.roofs[1], 1),)), first.memory, wanted=other)
    assert decodes == [64, 64], "other prompts are decoded"


def test_a_hover_has_one_coarse_candidate_and_is_not_remembered(scene: Scene) -> None:
    prompts = Prompts(((*scene.roofs[0], 1),))
    click, hover = suggest(scene.raster, prompts), suggest(scene.raster, prompts, hover=True)

    (shown,) = hover.candidates
    assert shown["index"] == click.candidates[0]["index"]
    assert shown["digits"] == click.candidates[0]["digits"] - 1
    assert hover.memory is None
    assert hover.field == {"side": 64, "grown": 0}


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_suggestion_that_nobody_waits_for_stops_before_its_next_stage(
    scene: Scene, decodes: list[int], after: int
) -> None:
    looks = iter(range(99))
    with pytest.raises(StoppedError):
        suggest(scene.raster, Prompts(((*scene.roofs[0], 1),)), stop=lambda: next(looks) >= after)
    assert len(decodes) == (0 if after < 2 else 1), "before the features are prepared, before the decode, outlines"
