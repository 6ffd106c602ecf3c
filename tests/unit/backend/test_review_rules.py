"""The table of review moves, every cell of it: status x status x role x own work or another's."""

from itertools import product
from uuid import uuid4

import pytest

from backend.annotations.models import Annotation, Status
from backend.core.errors import EdgewiseError
from backend.projects.models import Member, Role
from backend.review.rules import require_may_move

# The moves of the wire page, written out a second time on purpose: who may, by (from, to).
REVIEWERS = {(Role.REVIEWER, "own"), (Role.REVIEWER, "other"), (Role.OWNER, "own"), (Role.OWNER, "other")}
AUTHORS = {(Role.ANNOTATOR, "own"), (Role.REVIEWER, "own"), (Role.OWNER, "own")}
ALLOWED = {
    (Status.DRAFT, Status.SUBMITTED): AUTHORS | REVIEWERS,
    (Status.SUBMITTED, Status.DRAFT): AUTHORS,
    (Status.SUBMITTED, Status.ACCEPTED): {(Role.REVIEWER, "other"), (Role.OWNER, "other")},
    (Status.SUBMITTED, Status.CHANGES_REQUESTED): REVIEWERS,
    (Status.CHANGES_REQUESTED, Status.SUBMITTED): AUTHORS | REVIEWERS,
    (Status.ACCEPTED, Status.CHANGES_REQUESTED): REVIEWERS,
}


@pytest.mark.parametrize(("before", "after"), list(product(Status, Status)))
def test_every_move_is_allowed_to_exactly_those_whom_the_wire_page_names(before: Status, after: Status) -> None:
    me, somebody = uuid4(), uuid4()

    allowed = set()
    for role, whose in product(Role, ("own", "other")):
        annotation = Annotation(status=before, author_id=me if whose == "own" else somebody)
        try:
            require_may_move(Member(role=role, user_id=me), annotation, after)
            allowed.add((role, whose))
        except EdgewiseError as refused:
            assert refused.kind in ("forbidden", "conflict")

    assert allowed == ALLOWED.get((before, after), set())


def code(role: Role, whose: str, before: Status, after: Status) -> str:
    me = uuid4()
    annotation = Annotation(status=before, author_id=me if whose == "own" else uuid4())
    with pytest.raises(EdgewiseError) as refused:
        require_may_move(Member(role=role, user_id=me), annotation, after)
    return refused.value.code


def test_each_refusal_has_its_own_code() -> None:
    assert code(Role.VIEWER, "own", Status.DRAFT, Status.SUBMITTED) == "auth.forbidden"
    assert code(Role.OWNER, "own", Status.SUBMITTED, Status.ACCEPTED) == "review.own_work"
    assert code(Role.ANNOTATOR, "other", Status.SUBMITTED, Status.ACCEPTED) == "review.not_reviewer"
    assert code(Role.ANNOTATOR, "other", Status.DRAFT, Status.SUBMITTED) == "review.not_yours"
    assert code(Role.OWNER, "other", Status.DRAFT, Status.ACCEPTED) == "review.not_allowed"
    assert code(Role.OWNER, "other", Status.ACCEPTED, Status.ACCEPTED) == "review.not_allowed"
