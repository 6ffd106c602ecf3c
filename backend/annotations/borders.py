"""Fits a shape to its neighbours of the same class where the class asks for it: polygons share borders, lines join."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

import numpy as np
import numpy.typing as npt
import shapely
from django.contrib.gis.geos import GEOSGeometry
from django.contrib.gis.geos import Polygon as Box
from shapely.geometry.base import BaseGeometry

from backend.annotations.geometry import DECIMALS, MAX_VERTICES, Shape, measured, parse_geometry
from backend.annotations.models import Annotation, Status
from backend.annotations.policies import require_may_edit
from backend.core.errors import Forbidden, Invalid, TooLarge
from backend.projects.models import LabelClass, Member
from backend.projects.policies import not_found
from ml.vectorize.coverage import CoverageError, fitted
from ml.vectorize.junctions import joined

MOST_NEIGHBOURS = 200
METRES_PER_DEGREE = 111_320.0  # of latitude
ON_BORDER = 2 * 10.0**-DECIMALS  # degrees: a vertex that was rounded still lies on the side it was put on

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bordered:
    """A shape as it fits, how many neighbours it touches, and those that get vertices where its border meets theirs.

    Of a line: how many neighbours its ends are on, and those that get vertices there.
    """

    shape: Shape
    noded: tuple[tuple[Annotation, Shape], ...] = ()
    neighbours: int = 0


def preview(label_class_id: UUID, said: object, annotation_id: UUID | None, *, member: Member) -> Bordered:
    """How a GeoJSON geometry would be stored as this annotation, or as a new one; changes nothing.

    Raises `class.not_found` and whatever storing it would.
    """
    label_class = LabelClass.objects.filter(id=label_class_id, project_id=member.project_id).first()
    if label_class is None:
        raise not_found("class")
    return bordered(annotation_id, label_class, parse_geometry(said, label_class.geometry_type), member)


def bordered(annotation_id: UUID | None, label_class: LabelClass, shape: Shape, member: Member) -> Bordered:
    """The shape cut and snapped to its neighbours, or a line with its ends on them; it yields, they stay as they are.

    Neighbours that the member may change, and that are not accepted, get a vertex where the shape's border leaves
    theirs, or the line meets them. Raises `annotation.covered` when nothing is left, `annotation.does_not_fit`,
    `annotation.too_many_neighbours`.
    """
    kind, reach = label_class.geometry_type, label_class.shared_border_m
    if reach is None or kind == LabelClass.GeometryType.POINT:
        return Bordered(shape)
    is_line = kind == LabelClass.GeometryType.LINE
    scale = _scale(shape.geometry)
    neighbours = _neighbours(annotation_id, label_class, shape.geometry, reach / scale, ends=is_line)
    geometries = [_geometry(one) for one in neighbours]
    placed, after = (_joined if is_line else _fitted)(shape.geometry, geometries, reach, scale)
    if shapely.get_num_coordinates(placed) > MAX_VERTICES:
        raise TooLarge(
            "With its neighbours' borders this has too many vertices. Simplify them.", code="annotation.too_large"
        )
    meeting = _ends(placed) if is_line else placed
    noded, touching = [], 0
    for one, geometry, with_vertices in zip(neighbours, geometries, after, strict=True):
        touching += bool(shapely.dwithin(geometry, meeting, ON_BORDER))
        if with_vertices is not geometry and _may_get_nodes(member, one):
            noded.append((one, measured(with_vertices)))
    return Bordered(measured(placed), tuple(noded), touching)


def _fitted(
    shape: BaseGeometry, neighbours: Sequence[BaseGeometry], reach: float, scale: Floats
) -> tuple[BaseGeometry, list[BaseGeometry]]:
    """A polygon that borders on its neighbours, and those, with vertices where the borders meet; lon/lat."""
    try:
        found = fitted(_scaled(shape, scale), [_scaled(one, scale) for one in neighbours], gap=reach)
    except CoverageError as error:
        raise Invalid(
            "A shape of this class beside this one crosses itself. Draw that one anew first.",
            code="annotation.does_not_fit",
        ) from error
    if found.shape is None:
        raise Invalid(
            "Other shapes of this class cover all of this one. Change them first, or choose another class.",
            code="annotation.covered",
        )
    placed = _rounded(found.shape, scale)
    if placed is None:
        raise Invalid(
            "This does not fit between its neighbours. Draw it a little differently.", code="annotation.does_not_fit"
        )
    after = list(neighbours)
    for i, changed in found.neighbours.items():
        noded = _as_kept(changed, scale)
        if noded.is_valid:
            after[i] = noded
    return placed, after


def _joined(
    line: BaseGeometry, neighbours: Sequence[BaseGeometry], reach: float, scale: Floats
) -> tuple[BaseGeometry, list[BaseGeometry]]:
    """A line, or several, with the ends on the neighbours, and those, with vertices where it meets them; lon/lat."""
    parts, owners = shapely.get_parts(neighbours, return_index=True)
    found = joined(shapely.get_parts(_scaled(line, scale)), [_scaled(part, scale) for part in parts], reach)
    placed = _lines([_as_kept(one, scale) for one in found.lines])
    if not placed.is_valid:
        raise Invalid(
            "This is too short to join its neighbours. Draw it a little longer.", code="annotation.does_not_fit"
        )
    parts = [_as_kept(found.neighbours[i], scale) if i in found.neighbours else part for i, part in enumerate(parts)]
    after = list(neighbours)
    for owner, own in groupby(range(len(parts)), key=lambda i: int(owners[i])):
        numbers = list(own)
        if any(i in found.neighbours for i in numbers):
            after[owner] = _lines([parts[i] for i in numbers])
    return placed, after


def _lines(parts: Sequence[BaseGeometry]) -> BaseGeometry:
    return parts[0] if len(parts) == 1 else shapely.multilinestrings(parts)


def _ends(line: BaseGeometry) -> BaseGeometry:
    return shapely.multipoints([part.coords[end] for part in shapely.get_parts(line) for end in (0, -1)])


def _neighbours(
    annotation_id: UUID | None, label_class: LabelClass, geometry: BaseGeometry, reach: Floats, *, ends: bool
) -> list[Annotation]:
    """Annotations of the class that may lie within the tolerance, of a line's `ends` or of the whole shape.

    Found by the spatial index. A line may pass any number of others on its way.
    """
    rows = Annotation.objects.select_related("author", "updated_by", "label_class").filter(
        project_id=label_class.project_id, label_class=label_class, deleted_at__isnull=True
    )
    if ends:
        places = GEOSGeometry(memoryview(shapely.to_wkb(_ends(geometry))), srid=4326)
        rows = rows.filter(geometry__dwithin=(places, float(reach.max())))
    else:
        west, south, east, north = geometry.bounds
        box = Box.from_bbox((west - reach[0], south - reach[1], east + reach[0], north + reach[1]))
        box.srid = 4326
        rows = rows.filter(geometry__bboverlaps=box)
    if annotation_id is not None:
        rows = rows.exclude(id=annotation_id)
    found = list(rows.order_by("id")[: MOST_NEIGHBOURS + 1])
    if len(found) > MOST_NEIGHBOURS:
        raise Invalid(
            f"More than {MOST_NEIGHBOURS} shapes of this class lie around this one. Draw it in smaller parts.",
            code="annotation.too_many_neighbours",
        )
    return found


def _may_get_nodes(member: Member, annotation: Annotation) -> bool:
    """Accepted work is not changed for the sake of a neighbour, nor is what the member may not edit."""
    if annotation.status == Status.ACCEPTED:
        return False
    try:
        require_may_edit(member, annotation)
    except Forbidden:
        return False
    return True


def _scale(geometry: BaseGeometry) -> Floats:
    """Metres per degree of longitude and latitude at the shape's middle: a flat frame for what lies around it."""
    _, south, _, north = geometry.bounds
    east = METRES_PER_DEGREE * max(math.cos(math.radians((south + north) / 2)), 1e-3)
    return np.array([east, METRES_PER_DEGREE])


def _scaled(geometry: BaseGeometry, scale: Floats) -> BaseGeometry:
    return shapely.transform(geometry, lambda lonlat: lonlat * scale)


def _rounded(metres: BaseGeometry, scale: Floats) -> BaseGeometry | None:
    """Polygons in lon/lat again, valid with as many decimals as are kept; None where they cannot be."""
    rounded = _as_kept(metres, scale)
    if rounded.is_valid and not rounded.is_empty:
        return rounded
    mended = shapely.set_precision(_scaled(metres, 1 / scale), 10.0**-DECIMALS)
    parts = [part for part in shapely.get_parts(mended) if part.geom_type == "Polygon"]
    rounded = shapely.transform(shapely.multipolygons(parts), lambda lonlat: np.round(lonlat, DECIMALS))
    return rounded if parts and rounded.is_valid else None


def _as_kept(metres: BaseGeometry, scale: Floats) -> BaseGeometry:
    """In lon/lat again, with as many decimals as are kept; a neighbour's vertices become exactly theirs again."""
    return shapely.transform(metres, lambda places: np.round(places / scale, DECIMALS))


def _geometry(annotation: Annotation) -> BaseGeometry:
    return shapely.from_wkb(bytes(annotation.geometry.wkb))
