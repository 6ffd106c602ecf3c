"""Objects that no single window holds, followed through a decoder that knows the truth."""

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Point, box
from shapely.geometry.base import BaseGeometry

from ml.spanning import MAX_WINDOWS, Ground, grow
from ml.vectorize import polygon_from_logits
from ml.windows import SIZE, Window, is_window_of
from tests.support.spanning import TrueDecoder, clicked, iou

SIDE = 4500
FIRST, EAST, SOUTH = Window(0, 0), Window(896, 0), Window(0, 896)


def river(width: float, length: float = 4000, swing: float = 600, bends: float = 7.0) -> BaseGeometry:
    """A winding one from the left; it has turns that leave a window and come back."""
    along = np.linspace(0, 1, 200)
    middle = np.column_stack([200 + length * along, 2200 + swing * np.sin(bends * along)])
    return LineString(middle).buffer(width / 2)


def on(shape: BaseGeometry, x: float) -> tuple[float, float]:
    """A place in the middle of a shape at a column."""
    cut = shape.intersection(LineString([(x, 0), (x, SIDE)]))
    middle = max(shapely.get_parts(cut), key=lambda part: part.length).interpolate(0.5, normalized=True)
    return middle.x, middle.y


def test_an_object_within_its_window_is_answered_from_it_alone() -> None:
    decoder = TrueDecoder(box(300, 300, 700, 600))

    grown, outline = clicked(decoder, SIDE, SIDE, (400, 400))

    assert (grown.windows, grown.frame, grown.missing) == ((FIRST,), FIRST, ())
    assert decoder.windows == [FIRST]
    assert iou(outline, decoder.truth) > 0.99


def test_a_field_over_four_windows_is_one_polygon_without_seams() -> None:
    decoder = TrueDecoder(box(300, 300, 1800, 1500))

    grown, outline = clicked(decoder, SIDE, SIDE, (600, 600))

    assert set(grown.windows) == {FIRST, EAST, SOUTH, Window(896, 896)}
    assert grown.windows[0] == FIRST
    assert len(decoder.asked) == 4
    assert iou(outline, decoder.truth) > 0.999
    assert shapely.get_num_coordinates(outline) < 12, "four corners, each cut by a vertex: nothing at the seams"


def test_windows_off_by_part_of_a_cell_are_joined_without_seams() -> None:
    """The last planned window of a raster of 1701 x 1703 px begins at 677 and 679: at no multiple of a cell of 4 px."""
    decoder = TrueDecoder(shapely.affinity.rotate(box(400, 500, 1400, 1300), 17))

    grown, outline = clicked(decoder, 1701, 1703, (600, 800))

    assert any(window.col % 4 for window in grown.windows)
    assert iou(outline, decoder.truth) > 0.997
    assert shapely.get_num_coordinates(outline) < 20


def test_a_hole_across_a_border_stays_a_hole() -> None:
    truth = box(300, 300, 1800, 900).difference(Point(960, 600).buffer(120))

    _, outline = clicked(TrueDecoder(truth), SIDE, SIDE, (500, 600))

    assert isinstance(outline, shapely.Polygon)
    (hole,) = outline.interiors
    assert iou(shapely.Polygon(hole), Point(960, 600).buffer(120)) > 0.98


def test_what_is_carried_across_lies_on_the_object_well_inside_both_windows() -> None:
    decoder = TrueDecoder(box(300, 300, 1700, 900))

    clicked(decoder, SIDE, SIDE, (600, 600), (500, 600))

    window, carried, labels = decoder.asked[1]
    assert window == EAST
    assert labels.tolist() == [1] * len(carried)
    assert 1 <= len(carried) <= 3
    for at in carried:
        assert decoder.truth.contains(Point(at))
        assert 896 + 32 < at[0] < 1024 - 32


def test_refusals_go_along_only_where_they_were_made() -> None:
    decoder = TrueDecoder(box(300, 300, 1700, 900))
    points, labels = np.array([(600.0, 600.0), (1800.0, 600.0), (100.0, 100.0)]), np.array([1, 0, 0])
    first = decoder(FIRST, points[[0, 2]], labels[[0, 2]])
    assert first is not None

    grow(FIRST, first[0], Ground(SIDE, SIDE, points, labels, decoder))

    window, asked, said = decoder.asked[1]
    assert window == EAST
    assert [tuple(at) for at, label in zip(asked, said, strict=True) if label == 0] == [(1800.0, 600.0)]


def test_the_rasters_own_sides_are_followed_nowhere() -> None:
    decoder = TrueDecoder(box(-100, -100, 5000, 5000))

    grown, outline = clicked(decoder, 1000, 700, (300, 300))

    assert grown.windows == (Window(0, 0),)
    assert len(decoder.asked) == 1
    assert outline.equals(box(0, 0, 1000, 700))


def test_a_low_wide_raster_is_followed_along_its_length() -> None:
    decoder = TrueDecoder(box(100, -10, 1900, 400))

    grown, outline = clicked(decoder, 2600, 300, (300, 150))

    assert [window.row for window in grown.windows] == [0] * len(grown.windows)
    assert iou(outline, box(100, 0, 1900, 300)) > 0.99


def test_a_touch_of_one_cell_is_dust() -> None:
    touch = box(300, 300, 1000, 600).union(box(999, 400, 1100, 403))

    grown, _ = clicked(TrueDecoder(touch), SIDE, SIDE, (500, 500))

    assert grown.windows == (FIRST,)


def test_a_neighbour_that_shows_something_else_is_not_joined_and_a_window_about_the_object_is_asked() -> None:
    truth = box(500, 300, 1300, 900)
    decoder = TrueDecoder(truth, spoil=lambda window, shape: box(0, 0, SIDE, SIDE) if window == EAST else shape)

    grown, outline = clicked(decoder, SIDE, SIDE, (600, 600))

    assert EAST in decoder.windows
    assert EAST not in grown.windows
    (about,) = grown.windows
    assert about.size == SIZE
    assert about.col % 64 == 0
    assert iou(outline, truth) > 0.99


def test_where_nothing_agrees_what_was_known_stays_the_answer() -> None:
    decoder = TrueDecoder(
        box(500, 300, 1300, 900), spoil=lambda window, shape: shape if window == FIRST else box(0, 0, SIDE, SIDE)
    )

    grown, outline = clicked(decoder, SIDE, SIDE, (600, 600))

    assert grown.windows == (FIRST,)
    assert grown.missing == ()
    assert iou(outline, box(500, 300, 1024, 900)) > 0.98


LARGE = {
    "field of 1,600 px": (box(800, 700, 2400, 2300), (1400, 1400)),
    "field of 4,000 px": (box(200, 250, 4200, 4250), (2000, 2000)),
    "turned field": (shapely.affinity.rotate(box(700, 1500, 3700, 2900), 25), (2200, 2200)),
    "field with a pond": (box(500, 500, 3500, 3300).difference(Point(1900, 1900).buffer(400)), (900, 900)),
    "river of 4,000 px": (river(200), None),
    "narrow river of 4,000 px": (river(70), None),
    "straight canal": (box(200, 2000, 4200, 2060), (2200, 2030)),
}


@pytest.mark.parametrize("name", LARGE)
def test_objects_up_to_4000_px_are_as_good_as_within_one_window_at_a_coarser_scale(name: str) -> None:
    truth, click = LARGE[name]
    at = click or on(truth, 2200)

    decoder = TrueDecoder(truth)
    grown, outline = clicked(decoder, SIDE, SIDE, at)
    whole, alone = clicked(TrueDecoder(truth), SIDE, SIDE, at, size=8192)

    assert whole.windows == (Window(0, 0, 8192),)
    print(f"{name}: {iou(outline, truth):.4f} in {len(grown.windows)} windows, {iou(alone, truth):.4f} in one")
    assert iou(outline, truth) >= max(0.985, iou(alone, truth) - 0.001)
    assert iou(outline, alone) >= iou(alone, truth) - 0.02
    assert isinstance(outline, shapely.Polygon)
    assert len(grown.windows) <= MAX_WINDOWS
    assert len(decoder.asked) <= 9
    assert all(is_window_of(window, SIDE, SIDE) for window in decoder.windows)


def test_a_river_that_comes_back_into_a_window_is_followed_there() -> None:
    bend = LineString([(300, 300), (1300, 300), (1300, 800), (300, 800)]).buffer(40)

    grown, outline = clicked(TrueDecoder(bend), SIDE, SIDE, (400, 300))

    assert grown.windows == (FIRST, EAST)
    assert iou(outline, bend) > 0.97


def test_what_is_not_encoded_is_named_and_what_is_known_is_answered_meanwhile() -> None:
    truth = box(300, 300, 1800, 900)
    ready = {FIRST}
    decoder = TrueDecoder(truth, encoded=lambda window: window in ready)

    grown, outline = clicked(decoder, SIDE, SIDE, (600, 600))

    assert (grown.windows, grown.missing) == ((FIRST,), (EAST,))
    assert iou(outline, box(300, 300, 1024, 900)) > 0.98

    ready.update(grown.missing)
    grown, outline = clicked(decoder, SIDE, SIDE, (600, 600))

    assert (grown.windows, grown.missing) == ((FIRST, EAST), ())
    assert iou(outline, truth) > 0.99


def test_a_field_too_large_for_four_windows_asks_for_a_coarser_one_and_not_for_its_neighbours() -> None:
    truth = box(200, 200, 3000, 3000)
    decoder = TrueDecoder(truth, encoded=lambda window: window.size == SIZE)

    grown, _ = clicked(decoder, SIDE, SIDE, (1500, 1500))

    (coarse,) = grown.missing
    assert coarse.size == 2 * SIZE
    assert len(grown.windows) == 1


def test_windows_that_cannot_be_had_end_the_object_there() -> None:
    decoder = TrueDecoder(box(300, 300, 1800, 900), encoded=lambda window: window == FIRST)

    grown, outline = clicked(decoder, SIDE, SIDE, (600, 600), without={EAST})

    assert (grown.windows, grown.missing) == ((FIRST,), ())
    assert decoder.windows == [FIRST]
    assert iou(outline, box(300, 300, 1024, 900)) > 0.98


def test_nothing_more_is_decoded_once_it_is_stopped() -> None:
    decoder = TrueDecoder(box(300, 300, 1800, 1500))

    grown, _ = clicked(decoder, SIDE, SIDE, (600, 600), stopped=lambda: len(decoder.asked) >= 2)

    assert len(decoder.asked) == 2
    assert len(grown.windows) == 2


def test_a_click_beyond_all_windows_adds_a_part_of_its_own() -> None:
    both = shapely.union(box(300, 300, 500, 500), box(2400, 300, 2600, 500))

    grown, outline = clicked(TrueDecoder(both), SIDE, SIDE, (400, 400), (2500, 400))

    assert len(grown.windows) == 2
    assert iou(outline, both) > 0.98


def test_what_does_not_hang_together_with_the_click_is_left_behind() -> None:
    """A second field of which the first window shows a part; a decoder may well take it for the same."""
    field, other = box(600, 200, 1300, 500), box(700, 700, 1500, 900)
    decoder = TrueDecoder(field)
    both = TrueDecoder(field.union(other))(FIRST, np.array([(800.0, 300.0), (800.0, 800.0)]), np.array([1, 1]))
    assert both is not None

    points = np.array([(800.0, 300.0)])
    grown = grow(FIRST, both[0], Ground(SIDE, SIDE, points, np.array([1]), decoder))
    outline = polygon_from_logits(grown.logits, grown.frame, width=SIDE, height=SIDE)

    assert grown.windows == (FIRST, EAST)
    assert outline is not None
    assert iou(outline, field) > 0.99


def test_a_ready_coarse_window_that_shows_the_object_well_is_taken_before_a_new_one() -> None:
    truth = box(800, 700, 2300, 2300)
    ready = Window(320, 320, 2048)

    with_it, _ = clicked(TrueDecoder(truth), SIDE, SIDE, (1600, 1500), ready={ready})
    without_it, _ = clicked(TrueDecoder(truth), SIDE, SIDE, (1600, 1500))

    assert with_it.windows == (ready,)
    assert ready not in without_it.windows
