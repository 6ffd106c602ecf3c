"""Follows an object out of its window: into neighbours as long as they agree, else to a window that holds more of it.

The order of things: neighbours at the scale at hand, at most four windows; where they do not agree, one window about
the object; where it is larger than four windows, one at half the scale, and so on. What was known before stays the
answer wherever the next step does not agree with it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ml.spanning.agreement import Known, best_part, known_in, places_in
from ml.spanning.borders import exits, sides_left
from ml.spanning.masks import Mask, reached, widened
from ml.spanning.parts import Floats, Part, joined
from ml.windows import SIZE, WELL_INSIDE_PX, Window, choose_window, held_by, room_around, sizes, stride_of, window_about

MAX_WINDOWS = 4
AGREES = 0.7  # from here on another window shows the same object, see `agreement`
MOST_AGAIN = 2  # times that a window is asked about pieces that come back into it

Places = npt.NDArray[np.float64]
NO_PLACES = np.empty((0, 2))


class Look(Protocol):
    """Decodes prompts in a window."""

    def __call__(self, window: Window, points: Places, labels: npt.NDArray[np.int64]) -> Sequence[Floats] | None:
        """Candidates' logits (256, 256) for points (N, 2) in raster pixels; None while the window is not encoded."""


@dataclass(frozen=True, eq=False)
class Grown:
    """An object as far as it is known: logits (n, n) over the square `frame`, the windows they come from, the first
    one first, and the windows that are to be encoded before more can be known."""

    logits: Floats
    frame: Window
    windows: tuple[Window, ...]
    missing: tuple[Window, ...] = ()


@dataclass(frozen=True, eq=False)
class Ground:
    """What stays the same while one object is followed.

    `points` (N, 2) in raster pixels and `labels` (N,) are the prompts; `ready` windows are preferred; those of
    `without` cannot be had. `stopped` is asked before each decode: what is known then is the answer.
    """

    width: int
    height: int
    points: Places
    labels: npt.NDArray[np.int64]
    look: Look
    ready: Collection[Window] = frozenset()
    without: Collection[Window] = frozenset()
    stopped: Callable[[], bool] = lambda: False

    @property
    def positive(self) -> Places:
        """The points that are on the object."""
        return np.asarray(self.points[self.labels == 1])


class _End(Enum):
    CLOSED = "nothing is left to follow"
    APART = "a window shows something else"
    LARGE = "more windows than are joined"


@dataclass(frozen=True, eq=False)
class _Found:
    parts: tuple[Part, ...]
    missing: tuple[Window, ...] = ()
    end: _End = _End.CLOSED

    @property
    def size(self) -> int:
        return self.parts[0].window.size


def goes_on(window: Window, logits: Floats, ground: Ground) -> bool:
    """Whether a mask leaves its window, or a point that is on the object lies beyond it; a quick look."""
    whole = Part(window, logits, logits > 0)
    return bool(exits(whole, ground.width, ground.height)) or bool(len(_outside([window], ground.positive)))


def grow(window: Window, logits: Floats, ground: Ground) -> Grown:
    """The object of which `logits` (256, 256) were decoded in `window`, followed to its ends.

    The object is what hangs together with the points that are on it; other parts of the masks are turned to no. At
    most four windows are joined at each scale, and one more is asked about the whole object.
    """
    found = _spread(Part(window, logits, _object(window, logits, ground.positive)), ground)
    tried: set[Window] = set()
    while found.end is not _End.CLOSED and not found.missing and not ground.stopped():
        about = _next_window(found, tried, ground)
        if about is None or about in ground.without:
            break
        tried.add(about)
        known = known_in(joined(found.parts, ground.width, ground.height), about)
        offered = _look(about, known, ground)
        if offered is None:
            found = replace(found, missing=(about,))
            break
        part = best_part(about, offered, known, AGREES)
        if part is not None:
            found = _spread_from(part, tried, ground)
        elif about.size > found.size:
            break
    mosaic = joined(found.parts, ground.width, ground.height)
    logits = np.where((mosaic.logits > 0) & ~mosaic.object, -mosaic.logits, mosaic.logits)
    return Grown(logits, mosaic.frame, tuple(part.window for part in found.parts), found.missing)


def _spread_from(part: Part, tried: set[Window], ground: Ground) -> _Found:
    """Like `_spread`; at a coarser scale, where few windows are encoded, after one moved to where it goes on."""
    moved = _about((part,), part.window.size, ground)
    if (
        part.window.size > SIZE
        and exits(part, ground.width, ground.height)
        and moved is not None
        and moved not in {part.window, *tried, *ground.without}
    ):
        tried.add(moved)
        known = known_in(joined((part,), ground.width, ground.height), moved)
        offered = _look(moved, known, ground)
        if offered is None:
            return _Found((part,), (moved,))
        part = best_part(moved, offered, known, AGREES) or part
    return _spread(part, ground)


def _spread(first: Part, ground: Ground) -> _Found:
    """Joins neighbours of the same size until nothing is left to follow, or more would be needed than are joined."""
    parts: tuple[Part, ...] = (first,)
    size = first.window.size
    cannot = [window for window in ground.without if window.size == size]
    apart: list[Window] = []
    missing: list[Window] = []
    again: list[Window] = []
    while not ground.stopped():
        back = _reentered(parts, again, ground)
        if back is not None:
            again.append(back.window)
            parts = _looked_again(back, parts, ground)
            continue
        seen = [part.window for part in parts]
        wanted = _wanted(parts, [*seen, *cannot, *apart, *missing], ground)
        if not wanted:
            break
        if len(parts) + len(missing) + len(wanted) > MAX_WINDOWS:
            return _Found(parts, (), _End.LARGE)
        window = wanted[0]
        known = known_in(joined(parts, ground.width, ground.height), window)
        offered = _look(window, known, ground)
        if offered is None:
            missing.append(window)
            continue
        part = best_part(window, offered, known, AGREES) or _begun_by_click(window, offered, seen, ground)
        if part is None:
            apart.append(window)
        else:
            parts = (*parts, part)
    return _Found(parts, tuple(missing), _End.APART if apart else _End.CLOSED)


def _wanted(parts: tuple[Part, ...], settled: list[Window], ground: Ground) -> list[Window]:
    """The planned windows into which the object goes on, longest run first, then those of points not seen yet."""
    size = parts[0].window.size
    runs = [run for part in parts for run in exits(part, ground.width, ground.height, settled)]
    places = [run[len(run) // 2] for run in sorted(runs, key=len, reverse=True)]
    places += list(_outside(settled, ground.positive))
    return list(dict.fromkeys(_planned(place, size, ground) for place in places))


def _reentered(parts: tuple[Part, ...], again: list[Window], ground: Ground) -> Part | None:
    """A part whose window the object comes back into where the part does not show it, as a winding river does."""
    for part in parts:
        for run in exits(part, ground.width, ground.height):
            place = run[len(run) // 2]
            holding = [one for one in parts if held_by(one.window, place)[0]]
            if holding and not any(one.shows(place) for one in holding):
                found = max(holding, key=lambda one: room_around(one.window, place, place, ground.width, ground.height))
                if again.count(found.window) < MOST_AGAIN:
                    return found
    return None


def _looked_again(part: Part, parts: tuple[Part, ...], ground: Ground) -> tuple[Part, ...]:
    """The parts with what one shows as well when it is asked about the piece that comes back into it."""
    others = tuple(one for one in parts if one is not part)
    known = known_in(joined(others, ground.width, ground.height), part.window)
    piece = Known(known.seen & ~widened(part.object), known.object & ~widened(part.object))
    offered = _look(part.window, piece, ground, also=places_in(Known(part.object, part.object), part.window))
    more = best_part(part.window, offered or (), piece, AGREES)
    if more is None:
        return parts
    logits = np.where(more.object, np.maximum(part.logits, more.logits), part.logits)
    both = Part(part.window, logits, part.object | more.object)
    return tuple(both if one is part else one for one in parts)


def _planned(place: Places, size: int, ground: Ground) -> Window:
    return choose_window(place, ground.width, ground.height, size=size, stride=stride_of(size), ready=ground.ready)


def _outside(windows: list[Window], points: Places) -> Places:
    """The points that no window holds."""
    held = np.zeros(len(points), dtype=bool)
    for window in windows:
        held |= held_by(window, points)
    return points[~held]


def _look(window: Window, known: Known, ground: Ground, also: Places = NO_PLACES) -> Sequence[Floats] | None:
    """Decodes with the prompts that lie in the window, and with places carried there from what is known."""
    there = held_by(window, ground.points)
    carried = np.vstack([places_in(known, window), also])
    points = np.vstack([ground.points[there], carried])
    labels = np.concatenate([ground.labels[there], np.ones(len(carried), np.int64)])
    return ground.look(window, points, labels) if (labels == 1).any() else ()


def _begun_by_click(window: Window, offered: Sequence[Floats], seen: list[Window], ground: Ground) -> Part | None:
    """A part of its own where the user clicked beyond all windows so far: it belongs to the object as they say so."""
    own = _outside(seen, ground.positive[held_by(window, ground.positive)])
    if not len(own) or not len(offered):
        return None
    here = _object(window, offered[0], own)
    return Part(window, offered[0], here) if here.any() else None


def _next_window(found: _Found, tried: set[Window], ground: Ground) -> Window | None:
    """A window that shows more of the object: at the same scale where others disagreed, else at half of it."""
    if found.end is _End.APART:
        about = _about(found.parts, found.size, ground)
        if about is not None and about not in tried and about not in {part.window for part in found.parts}:
            return about
    larger = [size for size in sizes(ground.width, ground.height) if size > found.size]
    if not larger:
        return None
    return _about(found.parts, larger[0], ground) or _planned(ground.positive[0], larger[0], ground)


def _about(parts: tuple[Part, ...], size: int, ground: Ground) -> Window | None:
    """The window of a size about all that is known; None where that does not fit into it with room around."""
    low, high = _box(parts)
    room = WELL_INSIDE_PX * size / SIZE
    if float((high - low).max()) + 2 * room > size:
        return None
    ready = [window for window in ground.ready if window.size == size]
    roomy = [window for window in ready if room_around(window, low, high, ground.width, ground.height) >= 2 * room]
    if roomy:
        return max(roomy, key=lambda window: room_around(window, low, high, ground.width, ground.height))
    goes_on = sides_left(parts, ground.width, ground.height)
    return window_about(low, high, goes_on=goes_on, width=ground.width, height=ground.height, size=size)


def _box(parts: tuple[Part, ...]) -> tuple[Places, Places]:
    """The least and the greatest (col, row) in raster pixels of what is known of the object."""
    lows, highs = [], []
    for part in parts:
        rows, cols = np.nonzero(part.object)
        if len(rows):
            origin = np.array([part.window.col, part.window.row], np.float64)
            lows.append(origin + np.array([cols.min(), rows.min()]) * part.cell)
            highs.append(origin + np.array([cols.max() + 1, rows.max() + 1]) * part.cell)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _object(window: Window, logits: Floats, points: Places) -> Mask:
    """What hangs together with the points; the whole mask where none of them lies in it."""
    mask = logits > 0
    cells = ((points[held_by(window, points)] - (window.col, window.row)) * len(logits) / window.size).astype(np.int64)
    cells = np.clip(cells, 0, len(logits) - 1)
    seeds = np.zeros(mask.shape, dtype=bool)
    seeds[cells[:, 1], cells[:, 0]] = True
    return reached(mask, seeds) if (mask & seeds).any() else mask
