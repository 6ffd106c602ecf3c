"""The rule that says which part of a window is decoded, and when more of it is."""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from ml.decode import (
    ALL,
    SIDES,
    WHOLE,
    Asked,
    Candidate,
    Decoded,
    Field,
    Look,
    OnnxDecoder,
    Parts,
    PromptSet,
    Seen,
    StoppedError,
    decode_nearby,
    first_field,
    grown,
    parts_of,
    stability,
    tokens_of,
)

Logits = npt.NDArray[np.float32]


def points(*places: tuple[float, float]) -> PromptSet:
    return PromptSet(np.array(places, float), np.ones(len(places), int))


def box(*bounds: float) -> PromptSet:
    return PromptSet(np.empty((0, 2)), np.empty(0, int), cast(Any, bounds))


def mask(field: Field, x: tuple[float, float], y: tuple[float, float]) -> Logits:
    """Logits over a field of a window with a rectangular mask; px of the model's frame, multiples of 4."""
    window = np.full((256, 256), -8, np.float32)
    window[int(y[0] / 4) : int(y[1] / 4), int(x[0] / 4) : int(x[1] / 4)] = 8
    return window[4 * field.row : 4 * (field.row + field.rows), 4 * field.col : 4 * (field.col + field.cols)]


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        (points((512, 512)), Field(24, 24, 16, 16)),
        (points((518, 505)), Field(24, 24, 16, 16)),  # the same field for neighbouring clicks
        (points((3, 1020)), Field(0, 48, 16, 16)),  # at the window's corner it lies within the window
        (points((500, 500), (620, 540)), Field(28, 24, 16, 16)),
        (points((500, 500), (680, 540)), Field(20, 16, 32, 32)),  # too far apart for the margins of the smallest
        (points((100, 100), (900, 900)), WHOLE),
        (box(440, 440, 600, 600), Field(24, 24, 16, 16)),
        (box(440, 440, 620, 600), Field(16, 16, 32, 32)),  # half as much again lies around a box
        (box(100, 100, 500, 300), WHOLE),
    ],
)
def test_the_smallest_field_that_holds_the_prompts_with_room_is_taken(prompts: PromptSet, expected: Field) -> None:
    assert first_field(prompts) == expected


@pytest.mark.parametrize(("view_px", "side"), [(None, 16), (300, 16), (1024, 16), (1100, 32), (2048, 32), (2100, 64)])
def test_who_looks_from_further_above_gets_a_larger_field(view_px: float | None, side: int) -> None:
    assert first_field(points((512, 512)), view_px=view_px).cols == side


def test_the_last_mask_is_held_whole_even_where_the_click_is_at_its_end() -> None:
    last = Seen(mask(WHOLE, (400, 700), (500, 560)))

    assert first_field(points((690, 530)), last=last) == Field(20, 16, 32, 32)
    assert first_field(points((690, 530)), last=Seen(np.full((256, 256), -8, np.float32))) == Field(36, 24, 16, 16)
    assert first_field(points((690, 530))) == Field(36, 24, 16, 16)


@pytest.mark.parametrize(("sides", "side"), [((64,), 64), ((32, 64), 32), ((16, 64), 16)])
def test_only_sides_that_the_model_bears_are_taken(sides: tuple[int, ...], side: int) -> None:
    assert first_field(points((512, 512)), sides).cols == side


@pytest.mark.parametrize(
    ("field", "x", "y", "cut"),
    [
        (Field(24, 24, 16, 16), (400, 500), (400, 500), False),
        (Field(24, 24, 16, 16), (384, 500), (400, 500), True),  # left
        (Field(24, 24, 16, 16), (388, 500), (400, 500), True),  # the second cell
        (Field(24, 24, 16, 16), (392, 500), (400, 500), False),  # the third
        (Field(24, 24, 16, 16), (400, 640), (400, 500), True),  # right
        (Field(24, 24, 16, 16), (400, 500), (384, 500), True),  # above
        (Field(24, 24, 16, 16), (400, 500), (400, 640), True),  # below
        (Field(0, 0, 16, 16), (0, 100), (0, 100), False),  # the window ends there too
        (Field(48, 48, 16, 16), (900, 1024), (900, 1024), False),
        (WHOLE, (0, 1024), (0, 1024), False),
    ],
)
def test_a_mask_at_a_side_beyond_which_the_window_goes_on_is_cut(
    field: Field, x: tuple[float, float], y: tuple[float, float], cut: bool
) -> None:
    assert Seen(mask(field, x, y), field).is_cut() is cut


def test_a_cut_mask_is_asked_for_in_the_next_larger_field_about_the_mask_and_the_prompts() -> None:
    small = Field(24, 24, 16, 16)
    cut = Seen(mask(small, (540, 640), (480, 540)), small)

    assert grown(cut, small, points((560, 512)), Parts(SIDES)) == Field(20, 16, 32, 32)
    assert grown(cut, small, points((560, 512)), Parts((16, 64))) == WHOLE
    assert grown(Seen(mask(small, (480, 540), (480, 540)), small), small, points((512, 512)), Parts(SIDES)) is None
    assert grown(Seen(mask(WHOLE, (0, 1024), (0, 1024))), WHOLE, points((512, 512)), Parts(SIDES)) is None


def test_a_mask_that_is_not_stable_is_asked_for_in_the_whole_window() -> None:
    small, at = Field(24, 24, 16, 16), points((512, 512))
    shaky = Seen(mask(small, (480, 540), (480, 540)), small)
    shaky.logits[20:24, 20:40] = 0.5  # above 0, not above 1

    assert stability(shaky.logits) == pytest.approx(225 / 305)
    assert grown(shaky, small, at, Parts(SIDES, stability=0.7)) is None
    assert grown(shaky, small, at, Parts(SIDES, stability=0.75)) == WHOLE


def test_larger_squares_fit_around_a_field() -> None:
    for place in ((512, 512), (600, 440), (1000, 20)):
        for asked in (points(place), points(place, (place[0] - 200, place[1] + 100))):
            field = first_field(asked, far=8)
            assert (field.col % 8, field.row % 8) == (0, 0)
            Look(field, 8)
    assert first_field(points((600, 440)), far=8).cols == 16
    small = Field(24, 24, 16, 16)
    cut = Seen(mask(small, (540, 640), (480, 540)), small)
    found = grown(cut, small, points((560, 512)), Parts(SIDES, far=8))
    assert found is not None
    assert (found.col % 8, found.row % 8, found.cols) == (0, 0, 32)


def test_no_field_grows_for_dust() -> None:
    small, at = Field(24, 24, 16, 16), points((512, 512))
    clean = mask(small, (480, 540), (480, 540))  # 225 cells
    dusty = clean.copy()
    dusty[0, 0:10] = dusty[40:42, 60:64] = 0.5  # ten cells at one side, eight at another
    seen = Seen(dusty, small)
    assert np.array_equal(seen.inside, clean > 0)
    assert not seen.is_cut()
    assert seen.extent() == Seen(clean, small).extent()
    assert seen.stability() == 1.0 > stability(dusty)
    assert grown(seen, small, at, Parts(SIDES, stability=0.99)) is None

    dusty[0, 0:20] = 0.5
    large = Seen(dusty, small)
    assert large.is_cut()
    assert large.stability() == pytest.approx(225 / 245)
    assert grown(large, small, at, Parts(SIDES)) == Field(12, 12, 32, 32)


def test_an_empty_mask_is_stable_and_not_cut() -> None:
    nothing = Seen(np.full((64, 64), -9, np.float32), Field(24, 24, 16, 16))
    assert (nothing.stability(), nothing.is_cut(), nothing.extent()) == (1.0, False, None)


def test_logits_laid_over_another_field_keep_what_is_known_and_are_no_mask_elsewhere() -> None:
    small, large = Field(24, 24, 16, 16), Field(16, 16, 32, 32)
    seen = Seen(mask(small, (480, 540), (480, 540)), small)

    over = seen.over(large)

    assert over.shape == (128, 128)
    assert np.array_equal(over[32:96, 32:96], seen.logits)
    over[32:96, 32:96] = -8
    assert (over == -8).all(), "as far from the mask as the rim was"
    assert np.array_equal(Seen(seen.over(large), large).over(small), seen.logits)


class Painter:
    """Stands for a decoder that sees one rectangle: what it was asked for, and what was fed back.

    Of a part it draws `drawn`, where that is given; all of it where it is not.
    """

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        feedback: bool = True,
        drawn: Field | None = None,
    ) -> None:
        self.x, self.y, self.drawn = x, y, drawn
        parts = {"fields": (16, 32, 64), "far": 2, "stability": 0.0}
        hover = {"hover_fields": (32, 64), "hover_far": 4, "hover_stability": 0.0}
        self.model: Any = type("Model", (), {**parts, **hover, "mask_feedback": feedback, "prepare": "a file"})
        self.looks: list[Look] = []
        self.fed: list[Logits | None] = []
        self.prepared = 0

    def prepare(self, embedding: Any) -> None:
        self.prepared += 1

    def decode(self, embedding: Any, prompts: PromptSet, previous: Logits | None, look: Look) -> Decoded:
        """The rectangle first, then nothing much."""
        self.looks.append(look)
        self.fed.append(previous)
        field = self.drawn or look.near
        small = mask(field, (508, 516), (508, 516))
        candidates = Candidate(small, 0.9, 2), Candidate(mask(field, self.x, self.y), 0.5, 3)
        return Decoded(candidates, 1.0, field, look.near)

    @property
    def seen(self) -> list[tuple[Field, int]]:
        """What was looked at closely, and the squares around it."""
        return [(look.near, look.far) for look in self.looks]


def ask(painter: Painter, asked: Asked, **more: Any) -> Decoded:
    embedding: Any = None
    return decode_nearby(cast(OnnxDecoder, painter), embedding, asked, **more)


def test_the_field_grows_until_the_wanted_candidate_is_whole() -> None:
    painter = Painter((300, 900), (500, 560))

    found = ask(painter, Asked(points((512, 512)), wanted=3))

    assert painter.seen == [(Field(24, 24, 16, 16), 2), (Field(16, 16, 32, 32), 2), (WHOLE, 0)]
    assert (found.field, found.near, found.grown) == (WHOLE, WHOLE, 2)
    assert found.of(3).logits.shape == (256, 256)


def test_a_candidate_that_is_not_wanted_may_be_cut() -> None:
    painter = Painter((300, 900), (500, 560))

    found = ask(painter, Asked(points((512, 512))))

    assert (found.field, found.grown) == (Field(24, 24, 16, 16), 0)
    assert [found.is_cut(2), found.is_cut(3)] == [False, True]


def test_parts_that_are_asked_for_go_before_the_models_own() -> None:
    painter = Painter((500, 520), (500, 520))
    assert ask(painter, Asked(points((512, 512)), parts=ALL)).field == WHOLE
    assert painter.seen == [(WHOLE, 0)]


@pytest.mark.parametrize(
    ("asked", "least"),
    [
        (points((512, 512)), Field(32, 32, 1, 1)),
        (points((500, 520), (620, 515)), Field(31, 32, 8, 1)),
        (box(440, 452, 600, 600), Field(27, 28, 11, 10)),
        (points((-3, 1040)), Field(0, 63, 1, 1)),  # sam2 takes points beyond the window too
    ],
)
def test_what_the_prompts_lie_in_is_drawn_whatever_the_mask(asked: PromptSet, least: Field) -> None:
    painter = Painter((500, 520), (500, 520))
    ask(painter, Asked(asked, parts=ALL))
    assert [look.least for look in painter.looks] == [least]
    assert tokens_of(asked, Field(0, 60, 4, 4)) == (Field(3, 60, 1, 1) if least.col > 3 else Field(0, 63, 1, 1))


def test_what_is_looked_at_and_not_what_is_drawn_tells_whether_more_must_be() -> None:
    """A mask that is whole in a square within the part needs no more; the next part is larger than the last one."""
    inner = Field(28, 28, 8, 8)
    painter = Painter((480, 540), (480, 540), drawn=inner)
    found = ask(painter, Asked(points((512, 512)), wanted=3))
    assert painter.seen == [(Field(24, 24, 16, 16), 2)]
    assert (found.field, found.near, found.grown) == (inner, Field(24, 24, 16, 16), 0)

    painter = Painter((480, 640), (480, 540), drawn=Field(28, 28, 12, 8))
    assert ask(painter, Asked(points((512, 512)), wanted=3)).grown == 2
    assert [near.cols for near, _ in painter.seen] == [16, 32, 64]


def test_an_unstable_mask_is_looked_at_in_the_whole_window() -> None:
    painter = Painter((480, 540), (480, 540))
    decode = painter.decode

    def shaky(*asked: Any) -> Decoded:
        found = decode(*asked)
        found.of(3).logits[found.of(3).logits > 0] = 0.5
        return found

    painter.decode = shaky  # type: ignore[method-assign]
    found = ask(painter, Asked(points((512, 512)), wanted=3, parts=Parts((32, 64), 2, 0.5)))
    assert painter.seen == [(Field(16, 16, 32, 32), 2), (WHOLE, 0)]
    assert (found.near, found.grown) == (WHOLE, 1)


def test_a_decoder_in_one_file_is_asked_for_all_and_previews_ask_for_less_than_clicks() -> None:
    model = Painter((0, 4), (0, 4)).model
    assert parts_of(model) == Parts((16, 32, 64), 2, 0.0)
    assert parts_of(model, hover=True) == Parts((32, 64), 4, 0.0)
    model.prepare = None
    assert parts_of(model) == parts_of(model, hover=True) == ALL


@pytest.mark.parametrize("feedback", [True, False])
def test_the_last_mask_is_fed_back_over_the_window_where_the_model_bears_it(feedback: bool) -> None:
    painter = Painter((400, 700), (500, 560), feedback)
    small = Field(24, 24, 16, 16)
    last = Seen(mask(small, (480, 540), (480, 540)), small)

    ask(painter, Asked(points((512, 512)), last=last, wanted=3))

    assert [look.near.cols for look in painter.looks] == [16, 32]
    fed = [None if one is None else one.shape for one in painter.fed]
    assert fed == ([(256, 256)] * 2 if feedback else [None, None])


@pytest.mark.parametrize(("after", "prepared", "decodes"), [(0, 0, 0), (1, 1, 0), (2, 1, 1), (3, 1, 2)])
def test_what_nobody_waits_for_stops_before_its_next_step(after: int, prepared: int, decodes: int) -> None:
    painter, looks = Painter((300, 900), (500, 560)), iter(range(9))

    with pytest.raises(StoppedError):
        ask(painter, Asked(points((512, 512)), wanted=3), stop=lambda: next(looks) >= after)

    assert (painter.prepared, len(painter.looks)) == (prepared, decodes)
