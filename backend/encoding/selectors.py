"""Reads which windows are encoded, and estimates what encoding the rest would take."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import shapely
from django.db.models import Avg, Count, Sum

from backend.core.errors import EdgewiseError
from backend.encoding import engine, keeping
from backend.encoding.models import EncodeWindow
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_frame
from ml.models import InstalledModel
from ml.windows import SIZE, STRIDE, Window, count_windows, plan_windows

GUESSED_SECONDS = 3.0  # before the first window of this model was measured here
MAX_LISTED = 20_000


@dataclass(frozen=True)
class Plan:
    """What encoding a raster means: windows in all and ready, megabytes, minutes for what is left.

    `fits` of the windows are kept at once: a job encodes no more, since the last ones would drive the first ones out.
    """

    windows: int
    ready: int
    megabytes: float
    minutes: float
    seconds_per_window: float
    fits: int
    megabytes_per_km2: float


def plan(raster: Raster, model: InstalledModel, stride: int) -> Plan:
    """The estimate that is shown before anything starts; the pace is measured on this server."""
    count = count_windows(raster.width or 0, raster.height or 0, SIZE, stride)
    wanted = set(plan_windows(raster.width or 0, raster.height or 0, SIZE, stride)) if count <= MAX_LISTED else set()
    done = settled_windows(raster, model)
    ready = len(wanted & done.keys()) if wanted else 0
    pace, each = seconds_per_window(model), bytes_per_window(model)
    fitting = keeping.windows_that_fit(each)
    fits = count if fitting is None else min(count, fitting)
    left = max(fits - ready, 0)
    across, down = raster_frame(raster).pixel_size_m()
    km2 = (raster.width or 0) * across * (raster.height or 0) * down / 1e6
    return Plan(
        windows=count,
        ready=ready,
        megabytes=round(left * each / 1e6, 1),
        minutes=round(left * pace / 60, 1),
        seconds_per_window=round(pace, 2),
        fits=fits,
        megabytes_per_km2=float(f"{count * each / 1e6 / km2:.3g}") if km2 else 0.0,
    )


def seconds_per_window(model: InstalledModel) -> float:
    """The mean of what windows of this model took here; a guess before the first."""
    measured = EncodeWindow.objects.filter(model_hash=model.sha256, state="ready").aggregate(mean=Avg("encode_ms"))
    return float(measured["mean"]) / 1000 if measured["mean"] else GUESSED_SECONDS


def bytes_per_window(model: InstalledModel) -> float:
    """The mean of what windows of this model take on the disk; before the first, what its form usually takes."""
    measured = EncodeWindow.objects.filter(model_hash=model.sha256, state="ready").aggregate(mean=Avg("nbytes"))
    return float(measured["mean"] or keeping.form_of(model.sha256).usual_bytes)


def settled_windows(raster: Raster, model: InstalledModel) -> dict[Window, str]:
    """Windows that need no work, with their state: ready, or empty and skipped."""
    rows = _rows(raster, model).filter(state__in=["ready", "skipped"])
    return {Window(col, row, size): state for col, row, size, state in rows.values_list("col", "row", "size", "state")}


def ready_by_model(raster: Raster) -> dict[str, set[Window]]:
    """Windows that a click is answered from at once, by the model's hash; the one that was at work last comes first."""
    rows = EncodeWindow.objects.filter(raster_id=raster.id, recipe_hash=raster.recipe_hash, state="ready")
    found: dict[str, set[Window]] = {}
    for model_hash, *place in rows.order_by("-at").values_list("model_hash", "col", "row", "size"):
        found.setdefault(model_hash, set()).add(Window(*place))
    return found


def embeddings_by_model() -> dict[str, tuple[int, int]]:
    """How many embeddings each model has on this server, by its hash, and their bytes."""
    rows = EncodeWindow.objects.filter(state="ready").values("model_hash").order_by()
    return {
        row["model_hash"]: (row["count"], row["size"]) for row in rows.annotate(count=Count("id"), size=Sum("nbytes"))
    }


def windows_of_any_model(raster: Raster) -> list[Window]:
    """Windows that some model has encoded under the raster's present recipe, row by row."""
    found = set().union(*ready_by_model(raster).values())
    return sorted(found, key=lambda window: (window.row, window.col))


def with_states(
    raster: Raster, model: InstalledModel, windows: Iterable[Window]
) -> Iterator[tuple[Window, str | None]]:
    """Windows, row by row, with the state of those that need no work; a row of them is looked up at a time."""
    for row, some in itertools.groupby(windows, key=lambda window: window.row):
        found = _rows(raster, model).filter(row=row, state__in=["ready", "skipped"])
        states = {Window(col, row, size): state for col, size, state in found.values_list("col", "size", "state")}
        for window in some:
            yield window, states.get(window)


def state_of(raster: Raster, model: InstalledModel, window: Window) -> str | None:
    """Whether one window is ready, failed or skipped; None while nothing is known of it."""
    rows = _rows(raster, model).filter(col=window.col, row=window.row, size=window.size)
    found: str | None = rows.values_list("state", flat=True).first()
    return found


def windows_json(raster: Raster, stride: int = STRIDE) -> dict[str, Any]:
    """Every window of full resolution that is planned or known, with its state and outline, for the map."""
    model = engine.model_of(raster.project_id)
    frame = raster_frame(raster)
    rows = _rows(raster, model).filter(size=SIZE).defer("path", "error")
    known = {Window(row.col, row.row, row.size): row for row in rows}
    planned = plan_windows(frame.width, frame.height, SIZE, stride)[:MAX_LISTED]
    listed = list(dict.fromkeys([*planned, *known]))
    corners = [corner for window in listed for corner in _outline(window, frame.width, frame.height)]
    lonlat = np.round(frame.lonlat_from_pixel(corners), 9).reshape(-1, 5, 2)
    return {
        "model": model.name,
        "stride": stride,
        "size": SIZE,
        "windows": [
            {
                "id": f"{window.col}_{window.row}_{window.size}",
                "col": window.col,
                "row": window.row,
                "state": known[window].state if window in known else "planned",
                "polygon": outline.tolist(),
            }
            for window, outline in zip(listed, lonlat, strict=True)
        ],
        "totals": totals([raster])[raster.id],
    }


def totals(rasters: Iterable[Raster]) -> dict[UUID, dict[str, Any]]:
    """How much of each raster is encoded by its project's model; derived, never stored. Nothing without a model."""
    viewable = [raster for raster in rasters if raster.state == Raster.State.VIEWABLE]
    models = _models_of({raster.project_id for raster in viewable})
    viewable = [raster for raster in viewable if raster.project_id in models]
    found: dict[UUID, dict[str, Any]] = {
        raster.id: {
            "planned": count_windows(raster.width or 1, raster.height or 1),
            "ready": 0,
            "failed": 0,
            "skipped": 0,
            "model": models[raster.project_id].name,
        }
        for raster in viewable
    }
    present = {raster.id: (raster.recipe_hash, models[raster.project_id].sha256) for raster in viewable}
    counts = EncodeWindow.objects.filter(raster_id__in=list(found), size=SIZE)
    for row in counts.values("raster_id", "recipe_hash", "model_hash", "state").annotate(count=Count("id")).order_by():
        if present[row["raster_id"]] == (row["recipe_hash"], row["model_hash"]):
            found[row["raster_id"]][row["state"]] = row["count"]
    for said in found.values():  # windows made for a click are more than planned
        said["ready"] = min(said["ready"], max(said["planned"] - said["failed"] - said["skipped"], 0))
    return found


def window_polygon(raster: Raster, window: Window) -> list[list[float]]:
    """The window's outline in lon/lat to a centimetre, cut at the raster's side."""
    frame = raster_frame(raster)
    outline = frame.lonlat_from_pixel(_outline(window, frame.width, frame.height))
    return [[round(float(x), 7), round(float(y), 7)] for x, y in outline]


def _outline(window: Window, width: int, height: int) -> list[tuple[float, float]]:
    right, low = min(window.col + window.size, width), min(window.row + window.size, height)
    return list(shapely.box(window.col, window.row, right, low).exterior.coords)


def _rows(raster: Raster, model: InstalledModel) -> Any:
    return EncodeWindow.objects.filter(raster_id=raster.id, recipe_hash=raster.recipe_hash, model_hash=model.sha256)


def _models_of(projects: Iterable[UUID]) -> dict[UUID, InstalledModel]:
    found = {}
    for project_id in projects:
        with contextlib.suppress(EdgewiseError):
            found[project_id] = engine.model_of(project_id)
    return found
