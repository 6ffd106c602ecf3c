"""How suggestions are drawn follows the class they are for."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from backend.encoding import engine
from backend.projects.models import LabelClass
from backend.rasters.selectors import raster_frame
from backend.segmentation import outlines
from backend.segmentation.polylines import decode_line
from backend.segmentation.services import Prompts, StoppedError, suggest
from ml.decode import OnnxDecoder
from ml.vectorize import Placing, Recipe
from tests.support.scenes import Scene, make_scene
from tests.support.worlds import World, make_world

pytestmark = pytest.mark.django_db

Asked = list[Recipe]


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def scene(world: World, tmp_path: Path, settings: Any) -> Scene:
    settings.DATA_DIR = tmp_path / "data"
    return make_scene(world.project, world.owner, tmp_path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The recipes by which the chosen candidate was drawn, each time."""
    heard: Asked = []
    by_recipe = outlines.outline

    def listening(logits: Any, placing: Placing, recipe: Recipe, *args: Any, **how: Any) -> Any:
        heard.append(recipe)
        return by_recipe(logits, placing, recipe, *args, **how)

    monkeypatch.setattr(outlines, "outline", listening)
    return heard


def click(scene: Scene, label_class: UUID | None, recipe: Recipe | None = None) -> Any:
    return suggest(scene.raster, Prompts(((*scene.roofs[0], 1),), None, label_class, recipe=recipe))


@pytest.mark.parametrize("form", ["right_angles", "circle"])
def test_the_chosen_candidate_is_drawn_by_the_recipe_of_its_class(
    world: World, scene: Scene, asked: Asked, form: str
) -> None:
    LabelClass.objects.filter(id=world.field.id).update(recipe={"form": form, "smooth_m": 1})

    suggestion = click(scene, world.field.id)

    assert len(suggestion.candidates) >= 2, "the others come coarse, and as they are"
    assert asked == [Recipe(form=form, smooth_m=1)]
    assert suggestion.candidates[0]["raw_vertices"] > 20
    assert "raw_vertices" not in suggestion.candidates[1]


def test_a_recipe_that_is_tried_out_goes_before_that_of_the_class(world: World, scene: Scene, asked: Asked) -> None:
    LabelClass.objects.filter(id=world.field.id).update(recipe={"form": "circle"})

    click(scene, world.field.id, Recipe(tolerance_m=3))

    assert asked == [Recipe(tolerance_m=3)]


@pytest.mark.parametrize("whose", ["plain", "nobody's", "foreign", "none"])
def test_any_other_class_is_drawn_plainly(world: World, scene: Scene, asked: Asked, whose: str) -> None:
    foreign = make_world("Elsewhere").field
    LabelClass.objects.filter(id=foreign.id).update(recipe={"form": "right_angles"})
    label_class = {"plain": world.field.id, "nobody's": uuid4(), "foreign": foreign.id, "none": None}[whose]

    assert click(scene, label_class).candidates

    assert asked == [Recipe()]


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
    other, once = first.candidates[1]["index"], len(decodes)

    again = suggest(scene.raster, prompts, first.memory, wanted=other)

    assert len(decodes) == once > 0
    assert [one["index"] for one in again.candidates] == [one["index"] for one in first.candidates]
    assert (again.chosen, again.candidates[1]["digits"]) == (1, first.candidates[0]["digits"])
    assert again.memory is not None
    assert again.memory.seen.logits is first.memory.decoded.of(other).logits  # type: ignore[union-attr]

    suggest(scene.raster, Prompts(((*scene.roofs[1], 1),)), first.memory, wanted=other)
    assert len(decodes) > once, "other prompts are decoded"


def test_the_same_prompts_by_another_recipe_are_drawn_again_without_decoding(scene: Scene, decodes: list[int]) -> None:
    prompts = Prompts(((*scene.roofs[0], 1),))
    first = suggest(scene.raster, prompts)
    index, once = first.candidates[0]["index"], len(decodes)

    coarse = suggest(scene.raster, replace(prompts, recipe=Recipe(tolerance_m=50)), first.memory, wanted=index)
    back = suggest(scene.raster, replace(prompts, recipe=Recipe()), coarse.memory, wanted=index)

    assert len(decodes) == once > 0
    assert len(coarse.candidates[0]["rings"][0][0]) < len(first.candidates[0]["rings"][0][0])
    assert back.candidates == first.candidates


def test_a_hover_has_one_coarse_candidate_and_is_not_remembered(scene: Scene) -> None:
    prompts = Prompts(((*scene.roofs[0], 1),))
    click, hover = suggest(scene.raster, prompts), suggest(scene.raster, prompts, hover=True)

    (shown,) = hover.candidates
    assert shown["index"] == click.candidates[0]["index"]
    assert shown["digits"] == click.candidates[0]["digits"] - 1
    assert hover.memory is None
    assert hover.field is not None
    assert hover.field["side"] in engine.default_model().hover_fields


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_suggestion_that_nobody_waits_for_stops_before_its_next_stage(
    scene: Scene, decodes: list[int], after: int
) -> None:
    looks = iter(range(99))
    with pytest.raises(StoppedError):
        suggest(scene.raster, Prompts(((*scene.roofs[0], 1),)), stop=lambda: next(looks) >= after)
    least, most = ((0, 0), (0, 0), (1, 1), (1, 2))[after]  # more of the window may be looked at, if anybody waits
    assert least <= len(decodes) <= most, "before the features are prepared, before the decode, outlines"


def test_candidates_that_are_not_shown_are_only_hinted_at_where_the_answer_would_get_too_long(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = Prompts(((*scene.roofs[0], 1),))
    usual = suggest(scene.raster, prompts).candidates
    monkeypatch.setattr(outlines, "RING_BYTES", 0)

    short = suggest(scene.raster, prompts).candidates

    assert short[0] == usual[0], "the shown one is whole in any case"
    for hint, coarse in zip(short[1:], usual[1:], strict=True):
        assert (len(hint["rings"]), len(hint["rings"][0])) == (1, 1)
        assert len(decode_line(hint["rings"][0][0], hint["digits"])) <= 16
        assert (hint["index"], hint["score"], hint["area_m2"]) == (coarse["index"], coarse["score"], coarse["area_m2"])


def test_a_class_of_lines_gets_a_line_with_its_width_or_a_hint_that_this_is_no_road(
    world: World, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    roof = click(scene, world.road.id)
    by_recipe = outlines.outline

    def road(logits: Any, *rest: Any, **how: Any) -> Any:
        across = np.abs(np.arange(len(logits))[:, None] - len(logits) / 2)
        return by_recipe(np.broadcast_to(6.0 - across, logits.shape).astype(np.float32), *rest, **how)

    monkeypatch.setattr(outlines, "outline", road)
    strip = click(scene, world.road.id)

    assert all(one["index"] != 0 or "lines" in one for one in roof.candidates) or roof.hint
    shown = strip.candidates[strip.chosen]
    assert (shown["rings"], len(shown["lines"])) == ([], 1)
    pixel = min(raster_frame(scene.raster).pixel_size_m())
    assert shown["width_m"] == pytest.approx(12 * 4 * pixel, rel=0.1)
