"""The table of moves between review statuses, and who may make them."""

from backend.annotations.models import Annotation, Status
from backend.core.errors import Conflict, Forbidden
from backend.projects.models import Member, Role
from backend.projects.policies import at_least

AUTHOR, AUTHOR_OR_REVIEWER, REVIEWER, OTHER_REVIEWER = "author", "author or reviewer", "reviewer", "other reviewer"

# from -> to -> who; every one of them may at least draw
MOVES: dict[str, dict[str, str]] = {
    Status.DRAFT: {Status.SUBMITTED: AUTHOR_OR_REVIEWER},
    Status.SUBMITTED: {
        Status.ACCEPTED: OTHER_REVIEWER,
        Status.CHANGES_REQUESTED: REVIEWER,
        Status.DRAFT: AUTHOR,
    },
    Status.CHANGES_REQUESTED: {Status.SUBMITTED: AUTHOR_OR_REVIEWER},
    Status.ACCEPTED: {Status.CHANGES_REQUESTED: REVIEWER},
}


def require_may_move(member: Member, annotation: Annotation, status: str) -> None:
    """Raises `auth.forbidden`, `review.own_work`, `review.not_allowed`."""
    if not at_least(member.role, Role.ANNOTATOR):
        raise Forbidden()
    who = MOVES[annotation.status].get(status)
    if who is None:
        raise Conflict(
            f"An annotation that is {_said(annotation.status)} cannot become {_said(status)}.",
            code="review.not_allowed",
        )
    author = annotation.author_id == member.user_id
    reviewer = at_least(member.role, Role.REVIEWER)
    if who == AUTHOR and not author:
        raise Forbidden("Only its author takes it back. Return it with a comment instead.", code="review.not_yours")
    if who == AUTHOR_OR_REVIEWER and not (author or reviewer):
        raise Forbidden("Only its author or a reviewer does this.", code="review.not_yours")
    if who in (REVIEWER, OTHER_REVIEWER) and not reviewer:
        raise Forbidden("Only a reviewer does this. Ask one.", code="review.not_reviewer")
    if who == OTHER_REVIEWER and author:
        raise Forbidden("Nobody accepts their own work. Ask another reviewer.", code="review.own_work")


def _said(status: str) -> str:
    return status.replace("_", " ")
