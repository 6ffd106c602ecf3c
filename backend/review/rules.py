"""The table of moves between review statuses, and who may make them."""

from backend.annotations.models import Annotation, Status
from backend.core.errors import Conflict, Forbidden
from backend.projects.models import Member, Role
from backend.projects.policies import at_least

# from -> to -> the least role; "author" stands for the author (of any role that may draw) or a reviewer
MOVES: dict[str, dict[str, str]] = {
    Status.DRAFT: {Status.SUBMITTED: "author"},
    Status.SUBMITTED: {
        Status.ACCEPTED: Role.REVIEWER,
        Status.CHANGES_REQUESTED: Role.REVIEWER,
        Status.DRAFT: "author",
    },
    Status.CHANGES_REQUESTED: {Status.SUBMITTED: "author", Status.ACCEPTED: Role.REVIEWER},
    Status.ACCEPTED: {Status.CHANGES_REQUESTED: Role.REVIEWER},
}


def require_may_move(member: Member, annotation: Annotation, status: str) -> None:
    """Raises `auth.forbidden`, `review.own_work`, `review.not_allowed`."""
    if not at_least(member.role, Role.ANNOTATOR):
        raise Forbidden()
    least = MOVES[annotation.status].get(status)
    if least is None:
        raise Conflict(
            f"An annotation that is {_said(annotation.status)} cannot become {_said(status)}.",
            code="review.not_allowed",
        )
    reviewer = at_least(member.role, Role.REVIEWER)
    if least == "author":
        if annotation.author_id != member.user_id and not reviewer:
            raise Forbidden("Only its author or a reviewer can do this.", code="review.not_yours")
    elif not reviewer:
        raise Forbidden("Only a reviewer can do this.", code="review.not_reviewer")
    if status == Status.ACCEPTED and annotation.author_id == member.user_id:
        raise Forbidden("Nobody accepts their own work. Ask another reviewer.", code="review.own_work")


def _said(status: str) -> str:
    return status.replace("_", " ")
