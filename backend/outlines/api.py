"""The addresses at which recipes of vectorisation are tried out."""

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.annotations.selectors import annotation_of
from backend.outlines import previews
from backend.outlines.again import outlined_again
from backend.outlines.samples import NAMES
from backend.projects.models import Role
from backend.projects.policies import require_member


class _Recipe(serializers.Serializer[Any]):
    """A recipe."""

    recipe = serializers.JSONField()


class _Trial(_Recipe):
    """A recipe, and the sample it is tried on."""

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


class OutlineAgainView(APIView):
    """`/api/annotations/{uuid}/outline`."""

    def post(self, request: Request, annotation_id: UUID) -> Response:
        """What another recipe makes of the mask that an annotation was drawn from; stores nothing."""
        annotation = annotation_of(annotation_id)
        member = require_member(request.user, annotation.project_id, Role.ANNOTATOR, noun="annotation")
        said = _Recipe(data=request.data)
        said.is_valid(raise_exception=True)
        recipe = previews.read_recipe(said.validated_data["recipe"])
        return Response(outlined_again(annotation, recipe, member=member))


urlpatterns = [
    path("projects/<uuid:project_id>/outlines", OutlinesView.as_view()),
    path("annotations/<uuid:annotation_id>/outline", OutlineAgainView.as_view()),
]
