"""Draws an annotation's outline again from its mask by another recipe; accepting it is an edit like any other."""

from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from backend.annotations.borders import bordered
from backend.annotations.geometry import DECIMALS, parse_geometry
from backend.annotations.models import Annotation
from backend.annotations.policies import require_may_edit
from backend.annotations.selectors import shape_json
from backend.core.errors import Conflict, Invalid
from backend.outlines.masks import mask_of, prompts_of
from backend.projects.models import LabelClass, Member
from backend.rasters.selectors import raster_frame
from backend.segmentation.groups import follows, walls_around
from backend.segmentation.outlines import by_recipe
from backend.segmentation.prompting import placed
from ml.frames import RasterFrame
from ml.vectorize import Direction, Outlined, Recipe

LINE = LabelClass.GeometryType.LINE


def outlined_again(annotation: Annotation, recipe: Recipe, *, member: Member) -> dict[str, Any]:
    """The outline as it would be stored, beside its neighbours too, and what it was drawn from; stores nothing.

    Raises what `require_may_edit`, `mask_of` and storing it would, `annotation.deleted`, `outline.no_road`,
    `outline.other_geometry`, `recipe.leaves_nothing`.
    """
    require_may_edit(member, annotation)
    if annotation.deleted_at is not None:
        raise Conflict("This was deleted. Restore it first.", code="annotation.deleted")
    label_class = annotation.label_class
    if (label_class.geometry_type == LINE) != (recipe.form == "centreline" and not recipe.buffered):
        raise Invalid("This recipe draws another kind of geometry than its class has.", code="outline.other_geometry")
    found = mask_of(annotation)
    assert annotation.raster is not None
    frame = raster_frame(annotation.raster)
    prompts = placed(frame, prompts_of(annotation))
    group: list[Direction] = []
    if follows(recipe):
        group = walls_around(annotation.project_id, label_class.id, frame, prompts, but=annotation.id)
    made = by_recipe(found.mask.logits, frame, found.mask.frame, prompts.positive, recipe, group=group)
    if made is None:
        raise Invalid("This recipe leaves nothing of the mask. Drop less.", code="recipe.leaves_nothing")
    if label_class.geometry_type == LINE and not made.lines:
        raise Invalid("The mask is too wide for a line.", code="outline.no_road")
    shape = parse_geometry(shape_json(_lonlat(made, frame)), label_class.geometry_type)
    fit = bordered(annotation.id, label_class, shape, member)
    return {
        "geometry": shape_json(fit.shape.geometry),
        "area_m2": round(fit.shape.area_m2, 4),
        "vertices": made.vertices,
        "raw_vertices": made.raw_vertices,
        "formed": made.formed,
        "iou": round(made.iou, 4),
        "hausdorff_m": round(made.hausdorff_m, 3),
        "source": found.source,
        "model": found.model,
    }


def _lonlat(made: Outlined, frame: RasterFrame) -> BaseGeometry:
    """With as many decimals as are kept."""
    lonlat = frame.lonlat_geometry_from_pixel(made.shape)
    rounded = shapely.transform(lonlat, lambda xy: np.round(xy, DECIMALS))
    return rounded if rounded.is_valid else shapely.set_precision(lonlat, 10.0**-DECIMALS)
