"""A recipe is kept as JSON, gives itself back, and says plainly what cannot be."""

import json
from typing import Any

import pytest

from ml.vectorize import Recipe, RecipeError

EVERYTHING = Recipe(
    simplify="douglas_peucker",
    tolerance_m=0.4,
    smooth_m=2,
    fill_holes_m2=30.0,
    drop_parts_m2=5.5,
    form="centreline",
    group_directions=True,
    least_length_m=12,
    width_m=3.5,
    buffered=True,
)


@pytest.mark.parametrize("recipe", [Recipe(), EVERYTHING])
def test_a_recipe_comes_back_from_its_json(recipe: Recipe) -> None:
    assert Recipe.from_json(json.loads(json.dumps(recipe.as_json()))) == recipe


def test_the_json_form_is_stable() -> None:
    assert Recipe().as_json() == {
        "simplify": "visvalingam",
        "tolerance_m": None,
        "smooth_m": 0.0,
        "fill_holes_m2": 0.0,
        "drop_parts_m2": 0.0,
        "form": "",
        "group_directions": False,
        "least_length_m": None,
        "width_m": None,
        "buffered": False,
    }


def test_what_is_missing_has_its_default() -> None:
    assert Recipe.from_json({"form": "circle"}) == Recipe(form="circle")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("simplify", "bezier", "simplify is one of: visvalingam, douglas_peucker, none."),
        ("simplify", None, "simplify is one of: visvalingam, douglas_peucker, none."),
        ("simplify", ["none"], "simplify is one of: visvalingam, douglas_peucker, none."),
        ("form", "triangle", "form is one of: nothing, right_angles, circle, centreline."),
        ("tolerance_m", 0, "tolerance_m is a number above 0 and up to 10000, or null for what the mask says."),
        ("tolerance_m", -1, "tolerance_m is a number above 0 and up to 10000, or null for what the mask says."),
        ("tolerance_m", "1", "tolerance_m is a number above 0 and up to 10000, or null for what the mask says."),
        ("width_m", float("nan"), "width_m is a number above 0 and up to 10000, or null for what the mask says."),
        ("least_length_m", 1e5, "least_length_m is a number from 0 to 10000, or null for what the mask says."),
        ("smooth_m", None, "smooth_m is a number from 0 to 10000."),
        ("smooth_m", True, "smooth_m is a number from 0 to 10000."),
        ("fill_holes_m2", float("inf"), "fill_holes_m2 is a number from 0 to 1e+10."),
        ("drop_parts_m2", -0.1, "drop_parts_m2 is a number from 0 to 1e+10."),
        ("group_directions", 1, "group_directions is true or false."),
        ("buffered", "yes", "buffered is true or false."),
    ],
)
def test_a_value_that_cannot_be_is_named(field: str, value: Any, message: str) -> None:
    with pytest.raises(RecipeError) as refused:
        Recipe.from_json({field: value})

    assert (refused.value.field, str(refused.value)) == (field, message)


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(RecipeError, match=r"A recipe has no tolerance\. It has buffered, drop_parts_m2,") as refused:
        Recipe.from_json({"tolerance": 3})

    assert refused.value.field == "tolerance"


@pytest.mark.parametrize("body", [None, [], "visvalingam", 3])
def test_what_is_no_object_is_no_recipe(body: object) -> None:
    with pytest.raises(RecipeError, match="A recipe is an object"):
        Recipe.from_json(body)
