"""The address of review decisions."""

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.annotations import selectors, services
from backend.annotations.models import Status
from backend.annotations.serializers import Guard
from backend.projects.models import Role
from backend.projects.policies import require_member
from backend.review.rules import require_may_move


class Decision(Guard):
    """The body of a decision."""

    status = serializers.ChoiceField(choices=Status.choices)
    comment = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class StatusView(APIView):
    """`/api/annotations/{uuid}/status`."""

    def post(self, request: Request, annotation_id: UUID) -> Response:
        """Submits, takes back, accepts or returns an annotation."""
        annotation = selectors.annotation_of(annotation_id)
        member = require_member(request.user, annotation.project_id, Role.ANNOTATOR, noun="annotation")
        parsed = Decision(data=request.data)
        parsed.is_valid(raise_exception=True)
        said: dict[str, Any] = dict(parsed.validated_data)
        guard = services.Edit(said["version"], said["edit_id"])
        changed = services.set_status(
            annotation_id,
            guard,
            said["status"],
            member=member,
            require_allowed=lambda row: require_may_move(member, row, said["status"]),
            comment=said["comment"],
        )
        return Response(selectors.annotation_json(changed))


urlpatterns = [path("annotations/<uuid:annotation_id>/status", StatusView.as_view())]
