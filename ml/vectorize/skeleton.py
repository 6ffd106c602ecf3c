"""The medial axis of a polygon as branches between junctions and ends, without its spurs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPoint, Polygon

SPUR_WIDTHS = 1.5  # a side branch shorter than so many local widths is a corner or a wiggle of the outline
NEAR = 1e-6

Floats = npt.NDArray[np.float64]
Links = dict[int, set[int]]


@dataclass(frozen=True, eq=False)
class Branch:
    """A line of the axis: `places` (n, 2) from node to node, the distance from each to the outline, `radii` (n,).

    `nodes` are the numbers of its ends; branches that meet have the same. `loose` says which end meets no other.
    """

    places: Floats
    radii: Floats
    nodes: tuple[int, int]
    loose: tuple[bool, bool]

    @property
    def length(self) -> float:
        return float(np.hypot(*np.diff(self.places, axis=0).T).sum())


def branches_of(outline: Polygon, spacing: float, least: float | None = None) -> list[Branch]:
    """The medial axis, from the Voronoi edges of points along the outline, `spacing` apart, that lie inside.

    Spurs are taken off in rounds, all at once: side branches with a loose end that are shorter than `least`, or than
    one and a half times the width where they begin. Junctions nearer to each other than the half-widths of both become
    one. Empty for an outline that is nowhere long enough. Source: Brandt and Algazi, "Continuous skeleton computation
    by Voronoi diagram", CVGIP 55(3), 1992.
    """
    places, links, radii = _axis(outline, spacing)
    found = list(_walked(places, links, radii))
    while spurs := [branch for branch in found if _is_spur(branch, least)]:
        for branch in spurs:
            _take_off(branch, places, links)
        found = list(_walked(places, links, radii))
    return _without_bridges(found)


def _axis(outline: Polygon, spacing: float) -> tuple[Floats, Links, Floats]:
    """The nodes (n, 2) of the Voronoi edges inside, which are linked, and how far each is from the outline."""
    samples = shapely.get_coordinates(shapely.segmentize(outline.boundary, spacing))
    edges = shapely.voronoi_polygons(MultiPoint(samples), only_edges=True)
    ends, line = shapely.get_coordinates(shapely.get_parts(edges), return_index=True)
    shapely.prepare(outline)
    inside = shapely.contains_xy(outline, ends)
    same = (line[1:] == line[:-1]) & inside[1:] & inside[:-1]
    pairs = np.stack([ends[:-1][same], ends[1:][same]], axis=1).reshape(-1, 2)
    if not len(pairs):
        return np.empty((0, 2)), {}, np.empty(0)
    _, first, number = np.unique(np.round(pairs / NEAR), axis=0, return_index=True, return_inverse=True)
    places = pairs[first]
    links: Links = {i: set() for i in range(len(places))}
    for a, b in number.reshape(-1, 2).tolist():
        if a != b:
            links[a].add(b)
            links[b].add(a)
    boundary = outline.boundary
    shapely.prepare(boundary)
    return places, links, np.asarray(shapely.distance(shapely.points(places), boundary))


def _walked(places: Floats, links: Links, radii: Floats) -> Iterator[Branch]:
    """Every line between two nodes that are no mere bends; of a closed loop one line that comes back."""
    seen: set[tuple[int, int]] = set()
    hubs = [node for node, near in links.items() if near and len(near) != 2]
    for start in [*hubs, *(node for node, near in links.items() if len(near) == 2)]:
        for step in sorted(links[start]):
            if (start, step) in seen or (
                len(links[start]) == 2 and any((start, other) in seen for other in links[start])
            ):
                continue
            path = [start, step]
            while len(links[path[-1]]) == 2 and path[-1] != start:
                path.append(next(node for node in links[path[-1]] if node != path[-2]))
            for a, b in pairwise(path):
                seen |= {(a, b), (b, a)}
            loose = (len(links[path[0]]) == 1, len(links[path[-1]]) == 1)
            yield Branch(places[path], radii[path], (path[0], path[-1]), loose)


def _is_spur(branch: Branch, least: float | None) -> bool:
    if branch.loose not in {(True, False), (False, True)}:
        return False
    wide = 2 * branch.radii[-1 if branch.loose[0] else 0]
    return bool(branch.length < (SPUR_WIDTHS * wide if least is None else max(least, wide)))


def _take_off(branch: Branch, places: Floats, links: Links) -> None:
    """Unlinks a branch from its loose end to the junction."""
    node, junction = branch.nodes if branch.loose[0] else branch.nodes[::-1]
    while node != junction and links[node]:
        after = links[node].pop()
        links[after].discard(node)
        node = after


def _without_bridges(branches: list[Branch]) -> list[Branch]:
    """Branches whose junctions are one where they lie within each other's width; loops within it go."""
    centre: dict[int, int] = {}

    def of(node: int) -> int:
        while node in centre:
            node = centre[node]
        return node

    middles: dict[int, list[Floats]] = {}
    for branch in branches:
        for node, place in zip(branch.nodes, (branch.places[0], branch.places[-1]), strict=True):
            middles.setdefault(node, [place])
    for branch in branches:
        a, b = of(branch.nodes[0]), of(branch.nodes[1])
        if a != b and not any(branch.loose) and branch.length < branch.radii[0] + branch.radii[-1]:
            centre[b] = a
            middles[a] += middles[b]
    found = []
    for branch in branches:
        a, b = of(branch.nodes[0]), of(branch.nodes[1])
        if a == b and branch.length < 2 * (branch.radii[0] + branch.radii[-1]):
            continue
        places = branch.places.copy()
        places[0], places[-1] = np.mean(middles[a], axis=0), np.mean(middles[b], axis=0)
        found.append(replace(branch, places=places, nodes=(a, b)))
    return found
