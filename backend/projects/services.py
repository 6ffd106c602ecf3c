"""Every write about projects, their members and their invites."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from backend.accounts.authentication import digest_of
from backend.accounts.models import User
from backend.core.clock import now
from backend.core.errors import Conflict, Invalid
from backend.events import services as events
from backend.projects.models import Invite, Member, Project, Role
from backend.projects.policies import not_found
from backend.projects.selectors import member_json

# Rooms above clean up after a project in the same transaction (files go after the commit).
on_delete: list[Callable[[UUID], None]] = []
INVITE_MAX_DAYS = 90


def create_project(owner: User, name: str, description: str = "") -> Project:
    """Makes a project whose only member, its owner, is the caller."""
    with transaction.atomic():
        project = Project.objects.create(name=name, description=description, created_by=owner)
        _add(project.id, owner, Role.OWNER, actor=owner)
    return project


def change_project(project_id: UUID, actor: User, changes: dict[str, Any]) -> Project:
    """Stores a new name, description or model; whether there is such a model is for the caller to see."""
    with transaction.atomic():
        project = Project.objects.select_for_update().get(id=project_id)
        for field, value in changes.items():
            setattr(project, field, value)
        project.save(update_fields=list(changes) or None)
        said = {"id": str(project.id), "name": project.name, "description": project.description, "model": project.model}
        events.record(project.id, "project.changed", {"project": said}, actor_id=actor.id)
    return project


def delete_project(project: Project, confirm_name: str) -> None:
    """Removes a project with all it holds. Raises `project.not_confirmed` unless its name is repeated."""
    if confirm_name != project.name:
        raise Invalid(
            "Type the project's name to confirm. Its rasters, annotations and history go with it.",
            code="project.not_confirmed",
        )
    project_id = project.id
    with transaction.atomic():
        # Held first, so that nothing is added meanwhile; the events last, as every change takes its locks.
        Project.objects.select_for_update().filter(id=project_id).first()
        for clean in on_delete:
            clean(project_id)
        project.delete()
        events.forget_project(project_id)


def add_member(project_id: UUID, user: User, role: Role, *, actor: User) -> Member:
    """Makes a user a member. Raises `member.already`."""
    with transaction.atomic():
        if Member.objects.filter(project_id=project_id, user=user).exists():
            raise Conflict("You are a member of this project already.", code="member.already")
        return _add(project_id, user, role, actor=actor)


def change_role(project_id: UUID, user_id: UUID, role: Role, *, actor: User) -> Member:
    """Gives a member another role. Raises `member.not_found`, `member.last_owner`."""
    with transaction.atomic():
        member = _locked(project_id, user_id)
        if member.role == Role.OWNER and role != Role.OWNER:
            _refuse_last_owner(project_id)
        member.role = role
        member.save(update_fields=["role"])
        _tell(project_id, "member.changed", {"member": member_json(member)}, actor, user_id)
        return member


def remove_member(project_id: UUID, user_id: UUID, *, actor: User) -> None:
    """Takes a member out; what they drew stays. Raises `member.not_found`, `member.last_owner`."""
    with transaction.atomic():
        member = _locked(project_id, user_id)
        if member.role == Role.OWNER:
            _refuse_last_owner(project_id)
        member.delete()
        _tell(project_id, "member.left", {"user": {"id": str(user_id)}}, actor, user_id)


def create_invite(project_id: UUID, role: Role, expires_days: int, *, actor: User) -> tuple[Invite, str]:
    """Makes an invite; its secret is given this once. Raises `invite.invalid`."""
    if not 1 <= expires_days <= INVITE_MAX_DAYS:
        raise Invalid(f"Choose 1 to {INVITE_MAX_DAYS} days.", code="invite.invalid")
    secret = secrets.token_urlsafe(24)
    invite = Invite.objects.create(
        project_id=project_id,
        role=role,
        digest=digest_of(secret),
        created_by=actor,
        expires_at=now() + timedelta(days=expires_days),
    )
    return invite, secret


def use_invite(invite: Invite, user: User) -> Member:
    """Makes the bearer a member and spends the invite, once. Raises `invite.not_found`, `member.already`."""
    with transaction.atomic():
        spent = Invite.objects.filter(id=invite.id, used_at__isnull=True).update(used_at=now(), used_by=user)
        if not spent:
            raise not_found("invite")
        return add_member(invite.project_id, user, Role(invite.role), actor=user)


def _add(project_id: UUID, user: User, role: Role, *, actor: User) -> Member:
    member = Member.objects.create(project_id=project_id, user=user, role=role)
    _tell(project_id, "member.joined", {"member": member_json(member)}, actor, user.id)
    return member


def _locked(project_id: UUID, user_id: UUID) -> Member:
    Project.objects.select_for_update().filter(id=project_id).first()  # one change of roles at a time
    member = Member.objects.select_related("user").filter(project_id=project_id, user_id=user_id).first()
    if member is None:
        raise not_found("member")
    return member


def _refuse_last_owner(project_id: UUID) -> None:
    if Member.objects.filter(project_id=project_id, role=Role.OWNER).count() <= 1:
        raise Conflict("A project needs an owner. Make somebody else an owner first.", code="member.last_owner")


def _tell(project_id: UUID, kind: str, data: dict[str, Any], actor: User, subject: UUID) -> None:
    events.record(project_id, kind, data, actor_id=actor.id, subject_id=subject)
