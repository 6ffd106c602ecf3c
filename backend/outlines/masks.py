"""The raw masks of annotations: kept when a draft is accepted, decoded again where none is kept."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from backend.annotations.models import Annotation
from backend.core.errors import Conflict, Invalid
from backend.encoding.engine import store
from backend.encoding.keeping import unreachable
from backend.segmentation.services import NotEncodedError, Prompts, suggest
from ml.embeddings import Mask, StoreUnreachableError

KEPT, DECODED = "kept", "decoded"


@dataclass(frozen=True, eq=False)
class Found:
    """A mask, whether it is the one that was `kept` or was `decoded` again, and the model in that case."""

    mask: Mask
    source: str
    model: str = ""


def keep(annotation_id: UUID, project_id: UUID, user_id: UUID, raster_id: UUID, mask: Mask) -> bool:
    """Keeps the mask that a user's draft had when it was accepted; False where that is not theirs to say.

    The annotation may not be stored yet. A mask is kept once: nobody replaces it. Raises `OSError`.
    """
    known = Annotation.objects.filter(id=annotation_id).values_list("project_id", "author_id").first()
    if known is not None and known != (project_id, user_id):
        return False
    return store().keep_mask(str(raster_id), str(annotation_id), mask)


def mask_of(annotation: Annotation) -> Found:
    """The mask that an annotation was drawn from.

    Where none is kept it is decoded from the prompts, all at once, by the model that answers there now. Raises
    `outline.no_mask` for shapes that were not made by clicks, `outline.no_raster`, `outline.not_encoded`,
    `encode.store_unreachable`.
    """
    raster = annotation.raster
    prompts = prompts_of(annotation)
    if raster is None:
        raise Invalid("Its raster was removed, and its mask with it.", code="outline.no_raster")
    try:
        kept = store().mask_of(str(raster.id), str(annotation.id))
    except StoreUnreachableError as error:
        raise unreachable(error) from error
    if kept is not None:
        return Found(kept, KEPT)
    try:
        made = suggest(raster, prompts, wanted=annotation.provenance.get("candidate"))
    except NotEncodedError:
        raise Conflict(
            "Its mask is not kept any more, and this place is not encoded. Click here once to have it encoded, then "
            "try again.",
            code="outline.not_encoded",
        ) from None
    if made.memory is None:
        raise Invalid("Its clicks give no mask any more. Click it anew.", code="outline.no_mask")
    return Found(made.memory.mask, DECODED, made.model)


def prompts_of(annotation: Annotation) -> Prompts:
    """The clicks and box that an annotation was made by. Raises `outline.no_mask` where there were none."""
    said: dict[str, Any] = annotation.provenance
    points = tuple((one["lon"], one["lat"], one["label"]) for one in said.get("prompts") or ())
    box = said.get("box")
    if said.get("kind") != "suggested" or not (points or box):
        raise Invalid(
            "This was not made by clicks, so there is no mask to draw it from. Edit its vertices instead.",
            code="outline.no_mask",
        )
    return Prompts(points, None if box is None else (box[0], box[1], box[2], box[3]))
