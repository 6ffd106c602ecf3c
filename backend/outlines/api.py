"""The addresses at which recipes of vectorisation are tried out."""

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.outlines import previews
from backend.outlines.samples import NAMES
from backend.projects.models import Role
from backend.projects.policies import require_member


class _Trial(serializers.Serializer[Any]):
    """A recipe, and the sample it is tried on."""

    recipe = serializers.JSONField()
    sample = serializers.ChoiceField(choices=NAMES)


class OutlinesView(APIView):
    """`/api/projects/{id}/outlines`."""

    def post(self, request: Request, project_id: UUID) -> Response:
        """What a recipe makes of a sample mask; stores nothing."""
        require_member(request.user, project_id, Role.ANNOTATOR)
        said = _Trial(data=request.data)
        said.is_valid(raise_exception=True)
        recipe = previews.read_recipe(said.validated_data["recipe"])
        return Response(previews.of_sample(said.validated_data["sample"], recipe))


urlpatterns = [path("projects/<uuid:project_id>/outlines", OutlinesView.as_view())]
