"""Makes the borders that polygons share the same on both sides, vertex by vertex."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

Shape: TypeAlias = Polygon | MultiPolygon
Floats = npt.NDArray[np.float64]
Place = tuple[float, float]

EXACTLY = 1e-3  # of a hair: what was moved onto an edge is nearer to it, for all the rounding


def noded(shape: Shape, others: Sequence[Shape], hair: float, *, fixed: bool) -> list[Shape]:
    """The shape and the others, each with a vertex where one of the others' vertices lies on its outline.

    Vertices of the shape that are nearer than `hair` to the others' outlines are moved onto them. With `fixed` the
    others stay as they are. A shape that needs no vertex, or would not be valid with them, is returned itself.
    """
    edges = np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for other in others for ring in _arrays(other)])
    on = _changed(shape, lambda ring: _without_spikes(_moved_onto(ring, edges, hair), hair))
    corners = shapely.get_coordinates(others)
    new = _changed(on, lambda ring: _with_vertices(ring, corners, hair))
    if fixed:
        return [new, *others]
    own = shapely.get_coordinates(new)
    exact = hair * EXACTLY
    return [new, *(_changed(other, lambda ring: _with_vertices(ring, own, exact)) for other in others)]


def _changed(shape: Shape, change: Callable[[Floats], Floats]) -> Shape:
    """The shape with its rings changed, itself where none is or where the result is not valid."""
    rings = _arrays(shape)
    done = [change(ring) for ring in rings]
    if all(after is before for before, after in zip(rings, done, strict=True)):
        return shape
    if any(len(ring) < 4 for ring in done):
        return shape
    found = rebuilt(shape, done)
    return found if found.is_valid else shape


def _moved_onto(ring: Floats, edges: Floats, hair: float) -> Floats:
    """A closed ring with its vertices that are nearer than `hair` to an edge (of (m, 2, 2)) moved onto it."""
    lines = shapely.linestrings(edges)
    places = shapely.points(ring[:-1])
    near, edge = shapely.STRtree(lines).query_nearest(places, max_distance=hair, all_matches=False)
    if not len(near):
        return ring
    begin, end, place = edges[edge, 0], edges[edge, 1], ring[near]
    step = end - begin
    share = ((place - begin) * step).sum(axis=1) / np.maximum((step**2).sum(axis=1), np.finfo(float).tiny)
    onto = begin + np.clip(share, 0, 1)[:, None] * step
    for corner in (begin, end):
        at_corner = np.hypot(*(place - corner).T) <= hair
        onto[at_corner] = corner[at_corner]
    moved = ring[:-1].copy()
    moved[near] = onto
    moved = moved[(moved != np.roll(moved, 1, axis=0)).any(axis=1)]
    return np.vstack([moved, moved[:1]])


def _without_spikes(ring: Floats, hair: float) -> Floats:
    """A closed ring without vertices from which it goes back the way it came; itself where it has none."""
    while len(ring) > 4:
        there, back = np.roll(ring[:-1], 1, axis=0) - ring[:-1], ring[1:] - ring[:-1]
        longer = np.maximum(np.hypot(*there.T), np.hypot(*back.T))
        apart = np.abs(there[:, 0] * back[:, 1] - there[:, 1] * back[:, 0]) / longer  # the nearer end from the line
        spikes = np.flatnonzero(((there * back).sum(axis=1) > 0) & (apart <= hair))
        if not len(spikes):
            break
        open_ring = np.delete(ring[:-1], spikes[0], axis=0)
        open_ring = open_ring[(open_ring != np.roll(open_ring, 1, axis=0)).any(axis=1)]
        ring = np.vstack([open_ring, open_ring[:1]])
    return ring


def _with_vertices(ring: Floats, places: Floats, hair: float) -> Floats:
    """A closed ring (n, 2) with vertices at those of the places (m, 2) that lie on it; itself where it has them all."""
    edges = shapely.linestrings(np.stack([ring[:-1], ring[1:]], axis=1))
    near, edge = shapely.STRtree(edges).query(shapely.points(places), predicate="dwithin", distance=hair)
    begin, end, place = ring[edge], ring[edge + 1], places[near]
    between = (np.hypot(*(place - begin).T) > hair) & (np.hypot(*(place - end).T) > hair)
    if not between.any():
        return ring
    edge, place, begin, step = edge[between], place[between], begin[between], (end - begin)[between]
    order = np.lexsort((((place - begin) * step).sum(axis=1), edge))
    edge, place = edge[order], place[order]
    once = np.r_[True, (np.diff(edge) != 0) | (np.hypot(*np.diff(place, axis=0).T) > hair)]
    return np.insert(ring, edge[once] + 1, place[once], axis=0)


def put_back(shape: Shape, before: Sequence[BaseGeometry], hair: float) -> Shape:
    """The shape with those of its vertices that a grid moved, by less than `hair`, on the very vertices from before."""
    corners = shapely.get_coordinates(before)
    tree = shapely.STRtree(shapely.points(corners))

    def back(ring: Floats) -> Floats:
        near, corner = tree.query_nearest(shapely.points(ring[:-1]), max_distance=hair, all_matches=False)
        moved = ring[:-1].copy()
        moved[near] = corners[corner]
        moved = moved[(moved != np.roll(moved, 1, axis=0)).any(axis=1)]
        return np.vstack([moved, moved[:1]])

    return _changed(shape, back)


def straightened(whole: Shape, shape: Shape, around: BaseGeometry, hair: float) -> Shape:
    """The whole without corners on straight sides, nearer than `hair` to them, that cutting and filling left there.

    Those that the shape had on straight sides before stay, and the corners of what is around it.
    """
    own = np.concatenate([ring[:-1][_straight(ring, hair)] for ring in _arrays(shape)])
    known = np.concatenate([own, shapely.get_coordinates(around)]) @ [1, 1j]
    return _changed(whole, lambda ring: _without_straight(ring, known, hair))


def _without_straight(ring: Floats, known: npt.NDArray[np.complex128], hair: float) -> Floats:
    """A closed ring without its corners on straight sides but for known ones; itself where it has none."""
    while len(ring) > 4:
        gone = _straight(ring, hair) & ~np.isin(ring[:-1] @ [1, 1j], known)
        even = np.arange(len(gone)) % 2 == 0
        gone &= even if (gone & even).any() else ~even  # of two in a row not both at once
        gone[-1] &= not gone[0]
        if not gone.any() or len(gone) - gone.sum() < 3:
            break
        open_ring = ring[:-1][~gone]
        ring = np.vstack([open_ring, open_ring[:1]])
    return ring


def _straight(ring: Floats, hair: float) -> npt.NDArray[np.bool_]:
    """Which corners of a closed ring lie between those on both sides of them, nearer than `hair` to their line."""
    corners = ring[:-1]
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    span, away = after - before, corners - before
    length = np.hypot(*span.T)
    along = (span * away).sum(axis=1)
    off = np.abs(span[:, 0] * away[:, 1] - span[:, 1] * away[:, 0])
    return np.asarray((off < hair * length) & (along >= 0) & (along <= length**2))


def simplified_alike(shape: Shape, others: Sequence[Shape], tolerance: float) -> list[Shape]:
    """The shape and the others with the borders that it shares with them simplified, the same way for both.

    Douglas-Peucker between the vertices where a border begins and ends or a third shape touches it. Borders must match
    vertex by vertex. Everything stays as it is where a result would be invalid or overlap.
    """
    whole = [shape, *others]
    dropped = {place for path in _shared_paths(shape, others) for place in _left_out(path, tolerance)}
    if not dropped:
        return whole
    found = [_without(one, dropped) for one in whole]
    if any(one is None or not one.is_valid for one in found):
        return whole
    sound = [one for one in found if one is not None]
    before, after = (shapely.area(shapely.intersection(each[0], each[1:])).sum() for each in (whole, sound))
    return sound if after <= before + 1e-9 * shape.area else whole


def rebuilt(shape: Shape, rings: Sequence[Floats]) -> Shape:
    """The shape with other rings, in the order of `shapely.get_rings`."""
    left = iter(rings)
    parts = [Polygon(next(left), [next(left) for _ in part.interiors]) for part in shapely.get_parts(shape)]
    return parts[0] if isinstance(shape, Polygon) else MultiPolygon(parts)


def _shared_paths(shape: Shape, others: Sequence[Shape]) -> Iterator[list[Place]]:
    """The borders of a shape with one other each, as places along them, whole between junctions."""
    owners: dict[frozenset[Place], int] = {}
    uses: dict[Place, set[int]] = {}
    for number, other in enumerate(others):
        for ring in _rings(other):
            for edge in pairwise(ring):
                owners[frozenset(edge)] = number
            for place in ring:
                uses.setdefault(place, set()).add(number)
    for ring in _rings(shape):
        edges = [(owners.get(frozenset(edge), -1), edge) for edge in pairwise(ring)]
        turn = next((i for i, (owner, _) in enumerate(edges) if owner != edges[i - 1][0]), 0)
        for owner, run in groupby(edges[turn:] + edges[:turn], key=lambda edge: edge[0]):
            if owner < 0:
                continue
            path: list[Place] = []
            for _, (a, b) in run:
                path = path or [a]
                path.append(b)
                if len(uses[b]) > 1:
                    yield path
                    path = []
            if path:
                yield path


def _left_out(path: list[Place], tolerance: float) -> set[Place]:
    """The places that simplification takes out of a path; its ends stay."""
    simple = shapely.simplify(shapely.linestrings(path), tolerance, preserve_topology=False)
    return set(path[1:-1]) - {(float(x), float(y)) for x, y in shapely.get_coordinates(simple)}


def _without(shape: Shape, dropped: set[Place]) -> Shape | None:
    """The shape without some of its vertices, itself where it has none of them; None where too few are left."""
    rings = [[place for place in ring[:-1] if place not in dropped] for ring in _rings(shape)]
    if sum(len(ring) + 1 for ring in rings) == shapely.get_num_coordinates(shape):
        return shape
    if any(len(ring) < 3 for ring in rings):
        return None
    return rebuilt(shape, [np.array([*ring, ring[0]]) for ring in rings])


def _rings(shape: Shape) -> list[list[Place]]:
    return [[(float(x), float(y)) for x, y in ring] for ring in _arrays(shape)]


def _arrays(shape: Shape) -> list[Floats]:
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(shapely.get_parts(shape))]
