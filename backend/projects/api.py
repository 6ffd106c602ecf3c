"""The addresses of projects, members, invites and label classes."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import login
from django.db import transaction
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from backend.accounts import services as accounts
from backend.accounts import throttling
from backend.accounts.models import User
from backend.core.clock import iso
from backend.core.errors import Forbidden, NotFound
from backend.projects import classes, selectors, services
from backend.projects import serializers as say
from backend.projects.models import Invite, Role
from backend.projects.policies import not_found, require_member


class ProjectsView(APIView):
    """`/api/projects`."""

    def get(self, request: Request) -> Response:
        """My projects."""
        return Response({"projects": selectors.projects_of(_me(request))})

    def post(self, request: Request) -> Response:
        """Makes a project; the caller owns it."""
        me = _me(request)
        if not (settings.ANYONE_CREATES_PROJECTS or me.is_staff):
            raise Forbidden("Only administrators make projects here. Ask one of them.")
        project = services.create_project(me, **_said(say.ProjectFields(data=request.data)))
        return Response(selectors.project_json(project, Role.OWNER), status=201)


class ProjectView(APIView):
    """`/api/projects/{id}`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """One project."""
        member = require_member(request.user, project_id)
        return Response(selectors.project_json(member.project, member.role))

    def patch(self, request: Request, project_id: UUID) -> Response:
        """Renames it."""
        member = require_member(request.user, project_id, Role.OWNER)
        said = _said(say.ProjectFields(data=request.data, partial=True))
        project = services.change_project(project_id, member.user, said)
        return Response(selectors.project_json(project, member.role))

    def delete(self, request: Request, project_id: UUID) -> Response:
        """Removes it with all it holds."""
        member = require_member(request.user, project_id, Role.OWNER)
        services.delete_project(member.project, **_said(say.Confirmation(data=request.data)))
        return Response(status=204)


class MembersView(APIView):
    """`/api/projects/{id}/members`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """Who takes part."""
        require_member(request.user, project_id)
        return Response({"members": [selectors.member_json(row) for row in selectors.members_of(project_id)]})


class MemberView(APIView):
    """`/api/projects/{id}/members/{user_id}`."""

    def patch(self, request: Request, project_id: UUID, user_id: UUID) -> Response:
        """Changes a role."""
        me = require_member(request.user, project_id, Role.OWNER)
        role = Role(_said(say.RoleField(data=request.data))["role"])
        return Response(selectors.member_json(services.change_role(project_id, user_id, role, actor=me.user)))

    def delete(self, request: Request, project_id: UUID, user_id: UUID) -> Response:
        """Takes a member out; anybody may leave."""
        needed = Role.VIEWER if user_id == getattr(request.user, "id", None) else Role.OWNER
        me = require_member(request.user, project_id, needed)
        services.remove_member(project_id, user_id, actor=me.user)
        return Response(status=204)


class InvitesView(APIView):
    """`/api/projects/{id}/invites`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """Invites that can still be used."""
        require_member(request.user, project_id, Role.OWNER)
        rows = selectors.open_invites(project_id)
        return Response({"invites": [selectors.invite_json(row) for row in rows]})

    def post(self, request: Request, project_id: UUID) -> Response:
        """Makes a link; its token is in this answer only."""
        me = require_member(request.user, project_id, Role.OWNER)
        said = _said(say.NewInvite(data=request.data))
        invite, secret = services.create_invite(project_id, Role(said["role"]), said["expires_days"], actor=me.user)
        url = request.build_absolute_uri(f"/invite/{secret}")
        return Response({**selectors.invite_json(invite), "token": secret, "url": url}, status=201)


class InviteView(APIView):
    """`/api/projects/{id}/invites/{invite_id}`."""

    def delete(self, request: Request, project_id: UUID, invite_id: UUID) -> Response:
        """Revokes it."""
        require_member(request.user, project_id, Role.OWNER)
        gone, _ = Invite.objects.filter(project_id=project_id, id=invite_id, used_at__isnull=True).delete()
        if not gone:
            raise not_found("invite")
        return Response(status=204)


class InvitationView(APIView):
    """`/api/invites/{token}`: what the bearer of a link sees."""

    permission_classes = (AllowAny,)

    def get(self, request: Request, token: str) -> Response:
        """What one is invited to."""
        invite = _invite(request, token)
        return Response(
            {
                "project": {"name": invite.project.name},
                "role": invite.role,
                "invited_by": {"display_name": invite.created_by.display_name or invite.created_by.username},
                "expires_at": iso(invite.expires_at),
                "needs_account": not isinstance(request.user, User),
            }
        )


class AcceptView(APIView):
    """`/api/invites/{token}/accept`."""

    permission_classes = (AllowAny,)

    @method_decorator(csrf_protect)
    def post(self, request: Request, token: str) -> Response:
        """Joins; makes the account first where there is none."""
        invite = _invite(request, token)
        with transaction.atomic():
            known = isinstance(request.user, User)
            user = _me(request) if known else accounts.create_user(**_said(say.NewAccount(data=request.data)))
            services.use_invite(invite, user)
        if not known:
            login(request._request, user, backend="django.contrib.auth.backends.ModelBackend")
        return Response({"project_id": str(invite.project_id)})


class ClassesView(APIView):
    """`/api/projects/{id}/classes`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """The legend."""
        require_member(request.user, project_id)
        return Response({"classes": [selectors.class_json(row) for row in selectors.classes_of(project_id)]})

    def post(self, request: Request, project_id: UUID) -> Response:
        """Adds a class."""
        me = require_member(request.user, project_id, Role.OWNER)
        label_class = classes.create(project_id, me.user, _said(say.ClassFields(data=request.data)))
        return Response(selectors.class_json(label_class), status=201)


class ClassView(APIView):
    """`/api/projects/{id}/classes/{class_id}`."""

    def patch(self, request: Request, project_id: UUID, class_id: UUID) -> Response:
        """Changes a class."""
        me = require_member(request.user, project_id, Role.OWNER)
        said = _said(say.ClassFields(data=request.data, partial=True))
        return Response(selectors.class_json(classes.change(project_id, class_id, me.user, said)))

    def delete(self, request: Request, project_id: UUID, class_id: UUID) -> Response:
        """Removes a class that nothing uses."""
        me = require_member(request.user, project_id, Role.OWNER)
        classes.delete(project_id, class_id, me.user)
        return Response(status=204)


def _me(request: Request) -> User:
    user = request.user
    assert isinstance(user, User)
    return user


def _said(serializer: BaseSerializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _invite(request: Request, token: str) -> Invite:
    address = request.META.get("REMOTE_ADDR", "")
    throttling.check("invite", user="", address=address)
    try:
        return selectors.invite_of(token)
    except NotFound:
        throttling.failed("invite", user="", address=address)
        raise


urlpatterns = [
    path("projects", ProjectsView.as_view()),
    path("projects/<uuid:project_id>", ProjectView.as_view()),
    path("projects/<uuid:project_id>/members", MembersView.as_view()),
    path("projects/<uuid:project_id>/members/<uuid:user_id>", MemberView.as_view()),
    path("projects/<uuid:project_id>/invites", InvitesView.as_view()),
    path("projects/<uuid:project_id>/invites/<uuid:invite_id>", InviteView.as_view()),
    path("invites/<str:token>", InvitationView.as_view()),
    path("invites/<str:token>/accept", AcceptView.as_view()),
    path("projects/<uuid:project_id>/classes", ClassesView.as_view()),
    path("projects/<uuid:project_id>/classes/<uuid:class_id>", ClassView.as_view()),
]
