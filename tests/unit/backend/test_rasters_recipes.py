"""The first recipe of a raster, and how a recipe turns values into what is seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.enums import ColorInterp

from backend.core.errors import Invalid
from backend.rasters.recipes import apply_recipe, clean_recipe, default_recipe, recipe_hash
from backend.rasters.statistics import band_statistics
from tests.support.rasters import make_tif


def bands(dtype: str, *names: str) -> list[dict[str, Any]]:
    return [{"index": index, "dtype": dtype, "interpretation": name} for index, name in enumerate(names, start=1)]


def ramp(size: int = 100) -> np.ndarray[Any, Any]:
    return np.linspace(1000, 2000, size * size).reshape(1, size, size)


def test_a_colour_image_of_bytes_is_shown_as_it_is() -> None:
    made = default_recipe(bands("uint8", "red", "green", "blue"), [(5.0, 9.0)] * 3, palette=False)

    assert made == {"bands": [1, 2, 3], "ranges": [[0.0, 255.0]] * 3, "gamma": 1.0}


def test_named_colours_are_found_in_any_order_and_alpha_is_none_of_them() -> None:
    stretches = [(1.0, 2.0), (3.0, 4.0), (5.0, 6.0), (0.0, 255.0)]

    made = default_recipe(bands("uint16", "blue", "green", "red", "alpha"), stretches, palette=False)

    assert made["bands"] == [3, 2, 1]
    assert made["ranges"] == [[5.0, 6.0], [3.0, 4.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("gray",), [1, 1, 1]),
        (("gray", "alpha"), [1, 1, 1]),
        (("gray", "undefined"), [1, 1, 1]),
        (("gray", "undefined", "undefined", "undefined"), [1, 2, 3]),
        (("alpha", "undefined", "undefined", "undefined"), [2, 3, 4]),
    ],
)
def test_without_names_the_first_three_bands_are_taken_else_grey(names: tuple[str, ...], chosen: list[int]) -> None:
    made = default_recipe(bands("uint8", *names), [(10.0, 20.0)] * len(names), palette=False)

    assert made["bands"] == chosen
    assert made["ranges"] == [[10.0, 20.0]] * 3


def test_the_stretch_leaves_out_two_per_cent_on_either_side(tmp_path: Path) -> None:
    found = band_statistics(make_tif(tmp_path / "a.tif", ramp().astype(np.float32)))[0]

    assert found.stretch == pytest.approx((1020, 1980), abs=1)
    assert found.stats is not None
    assert found.stats["min"] == 1000
    assert found.stats["max"] == 2000
    assert found.stats["mean"] == pytest.approx(1500, abs=0.1)


def test_an_unmarked_collar_of_zeros_does_not_wash_out_the_data(tmp_path: Path) -> None:
    values = ramp().astype(np.uint16)
    values[:, :10] = 0

    found = band_statistics(make_tif(tmp_path / "a.tif", values))[0]

    assert found.stretch[0] > 1000
    assert found.stats is not None
    assert found.stats["p2"] == 0, "the statistics themselves stay true"


def test_nodata_and_nan_are_no_part_of_the_statistics(tmp_path: Path) -> None:
    values = ramp().astype(np.float32)
    values[0, 0], values[0, 1] = -9999, np.nan

    found = band_statistics(make_tif(tmp_path / "a.tif", values, nodata=-9999))[0]

    assert found.stats is not None
    assert found.stats["min"] == pytest.approx(1020, abs=1)


def test_a_constant_band_is_shown_in_the_middle_of_the_range(tmp_path: Path) -> None:
    found = band_statistics(make_tif(tmp_path / "a.tif", np.full((1, 20, 20), 7, np.uint16)))[0]
    recipe = default_recipe(bands("uint16", "gray"), [found.stretch], palette=False)

    shown = apply_recipe(np.full((3, 2, 2), 7, np.uint16), recipe, None)

    assert shown.min() == shown.max() == 128


def test_an_alpha_band_has_no_statistics(tmp_path: Path) -> None:
    values = np.stack([ramp()[0], np.full((100, 100), 255.0)]).astype(np.uint16)
    path = make_tif(tmp_path / "a.tif", values, interpretation=(ColorInterp.gray, ColorInterp.alpha))

    assert [found.stats is None for found in band_statistics(path)] == [False, True]


def test_values_are_stretched_clipped_and_bent_by_gamma() -> None:
    values = np.array([[[0, 100, 150, 200, 900]]] * 3, np.float32)
    recipe = {"bands": [1, 2, 3], "ranges": [[100.0, 200.0]] * 3, "gamma": 1.0}

    assert apply_recipe(values, recipe, None)[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    assert apply_recipe(values, {**recipe, "gamma": 2.0}, None)[0, 2, 0] == round(255 * 0.5**0.5)


def test_infinite_values_neither_warn_nor_leave_the_range() -> None:
    values = np.array([[[np.nan, np.inf, -np.inf, 3.4e38]]] * 3, np.float32)

    shown = apply_recipe(values, {"bands": [1, 1, 1], "ranges": [[0.0, 1e-30]] * 3, "gamma": 1.0}, None)

    assert shown[0, :, 0].tolist() == [0, 0, 0, 255]


def test_a_palette_gives_its_colours() -> None:
    values = np.array([[[0, 1], [2, 1]]] * 3, np.uint8)
    palette = {"0": [1, 2, 3, 255], "1": [4, 5, 6, 255]}

    shown = apply_recipe(values, {"bands": [1, 1, 1], "ranges": [], "gamma": 1.0}, palette)

    assert shown.tolist() == [[[1, 2, 3], [4, 5, 6]], [[0, 0, 0], [4, 5, 6]]]


GOOD = {"bands": [3, 2, 1], "ranges": [[0, 1], [0, 1], [0, 1]], "gamma": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "B4+B3",
        {**GOOD, "bands": [1, 2]},
        {**GOOD, "bands": [1, 2, 9]},
        {**GOOD, "bands": ["__import__('os')", 2, 3]},
        {**GOOD, "ranges": [[1, 0]] * 3},
        {**GOOD, "ranges": [[0, float("nan")]] * 3},
        {**GOOD, "ranges": [[0, float("inf")]] * 3},
        {**GOOD, "bands": [float("inf"), 1, 1]},
        {**GOOD, "gamma": 0},
        {**GOOD, "gamma": "b1/b2"},
        {"bands": [1, 2, 3]},
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(wrong: object) -> None:
    with pytest.raises(Invalid) as caught:
        clean_recipe(wrong, bands("uint8", "red", "green", "blue"))

    assert caught.value.code == "raster.invalid_recipe"


def test_a_good_recipe_is_copied_without_what_does_not_belong_to_it() -> None:
    kept = clean_recipe({**GOOD, "expression": "b1*2"}, bands("uint8", "red", "green", "blue"))

    assert kept == {"bands": [3, 2, 1], "ranges": [[0.0, 1.0]] * 3, "gamma": 1.0}


def test_other_pixels_or_another_recipe_have_another_hash() -> None:
    first = recipe_hash(GOOD, "file a")

    assert first == recipe_hash(dict(reversed(GOOD.items())), "file a")
    assert len({first, recipe_hash(GOOD, "file b"), recipe_hash({**GOOD, "gamma": 2}, "file a")}) == 3
