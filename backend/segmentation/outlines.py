"""From candidate masks to the outlines of an answer: the shown one whole, the others coarse."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from backend.projects.selectors import class_outline
from backend.rasters.models import Raster
from backend.segmentation.polylines import digits_for, encode_rings
from backend.segmentation.prompting import Pixels
from backend.segmentation.remembered import Remembered
from ml.decode import Candidate, Decoded, Field, StoppedError
from ml.frames import RasterFrame, geodesic_area_m2
from ml.vectorize import forming, polygon_from_logits
from ml.vectorize.forms import Forming
from ml.windows import Window

COARSE: dict[str, Any] = {"simplify_px": 2.0, "max_vertices": 48, "max_tolerance_px": 16.0}
TOKENS = 64  # of a window a side

_forms_kept: Remembered[str | None] = Remembered()


def form_of(raster: Raster, frame: RasterFrame, label_class: UUID | None) -> Forming | None:
    """The form that outlines of a class are given, if it asks for one."""
    form = ""
    if label_class is not None:
        key = (raster.project_id, label_class)
        form = _forms_kept.get(key, lambda: class_outline(*key)) or ""
    return forming(form, frame.pixel_size_m())


def outlined(
    decoded: Decoded,
    shown: Candidate,
    frame: RasterFrame,
    window: Window,
    points: Pixels,
    *,
    form: Forming | None = None,
    whole: bool = True,
    stop: Callable[[], bool] = lambda: False,
) -> list[dict[str, Any]]:
    """The candidates as the wire has them, in their order; those without an outline are left out.

    `points` (N, 2) are the positive prompts in the raster's pixels. With `whole`, the outline of `shown` is drawn with
    all its detail, and with a `form` where the class has one. Raises `StoppedError` between two outlines.
    """
    precise = digits_for(min(frame.pixel_size_m()))
    part = part_of(window, decoded.field)
    found = []
    for candidate in decoded.candidates:
        if stop():
            raise StoppedError
        full = whole and candidate is shown
        how = {"forming": form} if full else COARSE
        shape = polygon_from_logits(
            candidate.logits, part, width=frame.width, height=frame.height, points=points, **how
        )
        if shape is None:
            continue
        lonlat = frame.lonlat_geometry_from_pixel(shape)
        digits = precise if full else precise - 1
        found.append(
            {
                "rings": encode_rings(lonlat, digits),
                "digits": digits,
                "score": round(candidate.score, 4),
                "area_m2": float(f"{geodesic_area_m2(lonlat):.6g}"),
                "index": candidate.index,
            }
        )
    return found


def part_of(window: Window, field: Field) -> Window:
    """The raster's pixels that a field of a window covers; the window's side is a multiple of 64."""
    token = window.size // TOKENS
    return Window(window.col + token * field.col, window.row + token * field.row, token * field.cols)
