"""A class's recipe of vectorisation: what is done to a mask's outline, in a form that can be kept as JSON."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

SIMPLIFY = ("visvalingam", "douglas_peucker", "none")
FORM_NAMES = ("", "right_angles", "circle", "centreline")
MOST_M = 10_000.0
MOST_M2 = 1e10


class RecipeError(ValueError):
    """A recipe that cannot be: `field` is the one at fault, the message says what it may be."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Recipe:
    """What is done to a mask's outline. Applied in this order, whatever the order of the fields:

    1. parts below `drop_parts_m2` are dropped (never the largest or a clicked one), holes below `fill_holes_m2` filled;
    2. parts that nearly have the `form` get it, and are finished: `right_angles`, `circle`, or for roads and streams
       `centreline` (lines, simplified within the tolerance; beside them parts that are no road are left out). A part
       that has no right angles gets straight walls. With `group_directions`, walls follow those of neighbours;
    3. all other parts lose wiggles shorter than `smooth_m`;
    4. they are simplified: `visvalingam` (the area is kept), `douglas_peucker` or `none`, within `tolerance_m` metres
       on the ground, or as the pixels allow where that is None. Below 64 px the tolerance shrinks with the object.

    `drop_parts_m2` and `fill_holes_m2` come on top of the rule that specks and pinholes of the mask are never kept.
    Of a centreline, `least_length_m` is the shortest line that is kept (None: as the width says), `width_m` its width
    (None: measured), and with `buffered` the shape is the ground that the lines cover at that width.
    Raises `RecipeError` for values that cannot be.
    """

    simplify: str = "visvalingam"
    tolerance_m: float | None = None
    smooth_m: float = 0.0
    fill_holes_m2: float = 0.0
    drop_parts_m2: float = 0.0
    form: str = ""
    group_directions: bool = False
    least_length_m: float | None = None
    width_m: float | None = None
    buffered: bool = False

    def __post_init__(self) -> None:
        _one_of("simplify", self.simplify, SIMPLIFY)
        _one_of("form", self.form, FORM_NAMES)
        _number("smooth_m", self.smooth_m, 0.0, MOST_M)
        _number("fill_holes_m2", self.fill_holes_m2, 0.0, MOST_M2)
        _number("drop_parts_m2", self.drop_parts_m2, 0.0, MOST_M2)
        _number("tolerance_m", self.tolerance_m, 0.0, MOST_M, or_none=True, or_least=False)
        _number("width_m", self.width_m, 0.0, MOST_M, or_none=True, or_least=False)
        _number("least_length_m", self.least_length_m, 0.0, MOST_M, or_none=True)
        for name, value in (("group_directions", self.group_directions), ("buffered", self.buffered)):
            if not isinstance(value, bool):
                raise RecipeError(name, f"{name} is true or false.")

    def as_json(self) -> dict[str, Any]:
        """All fields by name; `from_json` gives the same recipe again."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: object) -> Self:
        """The recipe of a JSON object. A field that is missing has its default; raises `RecipeError` for others."""
        if not isinstance(body, Mapping):
            raise RecipeError("", "A recipe is an object.")
        known = {field.name for field in fields(cls)}
        for name in body:
            if name not in known:
                raise RecipeError(str(name), f"A recipe has no {name}. It has {', '.join(sorted(known))}.")
        return cls(**body)


def _one_of(field: str, value: object, names: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in names:
        choices = ", ".join(name or "nothing" for name in names)
        raise RecipeError(field, f"{field} is one of: {choices}.")


def _number(
    field: str, value: object, least: float, most: float, *, or_none: bool = False, or_least: bool = True
) -> None:
    if value is None and or_none:
        return
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or not least <= value <= most or (value == least and not or_least):  # type: ignore[operator]
        bound = f"from {least:g}" if or_least else f"above {least:g} and"
        instead = ", or null for what the mask says" if or_none else ""
        raise RecipeError(field, f"{field} is a number {bound} to {most:g}{instead}.".replace("and to", "and up to"))
