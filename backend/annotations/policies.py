"""Who may change which annotation."""

from backend.annotations.models import Annotation, Status
from backend.core.errors import Forbidden
from backend.projects.models import Member, Role
from backend.projects.policies import at_least


def require_may_edit(member: Member, annotation: Annotation) -> None:
    """Annotators change their own work and others' drafts; accepted work only reviewers and owners change.

    Raises `auth.forbidden` or `annotation.not_yours`.
    """
    if at_least(member.role, Role.REVIEWER):
        return
    if not at_least(member.role, Role.ANNOTATOR):
        raise Forbidden()
    if annotation.status == Status.ACCEPTED:
        raise Forbidden("This is accepted. Ask a reviewer to change it or to return it.", code="annotation.accepted")
    if annotation.author_id != member.user_id and annotation.status != Status.DRAFT:
        raise Forbidden("Only its author or a reviewer changes this.", code="annotation.not_yours")


def status_after_edit(annotation: Annotation, editor: Member) -> str:
    """An accepted annotation that its own author changes must be looked at again; all others keep their status."""
    if annotation.status == Status.ACCEPTED and annotation.author_id == editor.user_id:
        return Status.SUBMITTED
    return annotation.status
