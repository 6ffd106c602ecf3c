"""The band recipe: which bands, stretched how, become the three channels that a person and a model see."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.core.errors import Invalid

COLOURS = ("red", "green", "blue")


def default_recipe(
    bands: Sequence[Mapping[str, Any]], stretches: Sequence[tuple[float, float]], *, palette: bool
) -> dict[str, Any]:
    """The first recipe: the colour bands where they are named, else the first three, else grey.

    uint8 images with named colours are shown as they are; all else is stretched.
    """
    usable = [band for band in bands if band["interpretation"] not in {"alpha", "undefined_mask"}] or list(bands)
    named = {band["interpretation"]: band for band in usable}
    in_colour = all(colour in named for colour in COLOURS)
    if palette or (len(usable) < 3 and not in_colour):
        chosen = [usable[0]] * 3
    else:
        chosen = [named[colour] for colour in COLOURS] if in_colour else list(usable[:3])
    as_it_is = palette or (in_colour and all(band["dtype"] == "uint8" for band in chosen))
    ranges = [[0.0, 255.0] if as_it_is else list(stretches[band["index"] - 1]) for band in chosen]
    return {"bands": [band["index"] for band in chosen], "ranges": ranges, "gamma": 1.0}


def clean_recipe(recipe: object, bands: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A checked copy. Raises `raster.invalid_recipe`."""
    known = {band["index"] for band in bands}
    try:
        if not isinstance(recipe, Mapping):
            raise TypeError("a recipe is an object")
        chosen = [int(index) for index in recipe["bands"]]
        ranges = [[float(low), float(high)] for low, high in recipe["ranges"]]
        gamma = float(recipe.get("gamma", 1.0))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _invalid("Give three bands, three ranges [low, high] and a gamma.") from error
    if len(chosen) != 3 or len(ranges) != 3 or not set(chosen) <= known:
        raise _invalid(f"Choose three of the bands {sorted(known)}.")
    if not all(np.isfinite(pair).all() and pair[0] < pair[1] for pair in ranges) or not 0.1 <= gamma <= 10:
        raise _invalid("Each range goes from a lower to a higher number, and gamma is 0.1 to 10.")
    return {"bands": chosen, "ranges": ranges, "gamma": gamma}


def recipe_hash(recipe: Mapping[str, Any], pixels: str) -> str:
    """What stands, in keys of embeddings and tiles, for these pixels seen through this recipe."""
    return hashlib.sha256(json.dumps([recipe, pixels], sort_keys=True).encode()).hexdigest()


def apply_recipe(
    values: npt.NDArray[Any], recipe: Mapping[str, Any], palette: Mapping[str, Sequence[int]] | None
) -> npt.NDArray[np.uint8]:
    """Pixels (H, W, 3) uint8 of the recipe's three bands (3, H, W)."""
    if palette:
        return np.ascontiguousarray(colour_table(palette)[values[0], :3])
    ranges, gamma = recipe["ranges"], recipe.get("gamma", 1.0)
    if values.dtype == np.uint8 and gamma == 1.0 and all(pair == [0.0, 255.0] for pair in ranges):
        return np.ascontiguousarray(values.transpose(1, 2, 0))
    low = np.array([pair[0] for pair in ranges], np.float32)[:, None, None]
    high = np.array([pair[1] for pair in ranges], np.float32)[:, None, None]
    finite = np.where(np.isfinite(values), values, 0).astype(np.float32)
    with np.errstate(over="ignore"):  # far outside the range is clipped anyway
        share = np.clip((finite - low) / (high - low), 0, 1)
    if gamma != 1.0:
        share **= np.float32(1 / gamma)
    return np.ascontiguousarray((share * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))


def colour_table(palette: Mapping[str, Sequence[int]]) -> npt.NDArray[np.uint8]:
    """The palette as (256, 4) RGBA, transparent where it has no entry."""
    table = np.zeros((256, 4), np.uint8)
    for index, colour in palette.items():
        table[int(index)] = colour
    return table


def _invalid(message: str) -> Invalid:
    return Invalid(message, code="raster.invalid_recipe", details={"fields": {"recipe": [message]}})
