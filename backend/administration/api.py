"""The addresses of the administrator's page."""

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.policies import require_administrator
from backend.administration import selectors, services


class Installation(serializers.Serializer[Any]):
    """What is to be installed: a published model, from a file of the allowed folder where one is named."""

    name = serializers.CharField(max_length=80)
    checkpoint = serializers.CharField(max_length=255, allow_blank=True, default="")
    own = serializers.BooleanField(default=False)


class Removal(serializers.Serializer[Any]):
    """Which model the projects that have it get instead; an empty name is the default."""

    move_to = serializers.CharField(max_length=80, allow_blank=True, allow_null=True, default=None)


class ModelsView(APIView):
    """`/api/models`."""

    def get(self, request: Request) -> Response:
        """What is published, installed, and under way."""
        require_administrator(request.user)
        return Response(selectors.models_json())

    def post(self, request: Request) -> Response:
        """Installs one."""
        actor = require_administrator(request.user)
        job = services.install(**_said(Installation(data=request.data)), actor=actor)
        return Response(selectors.work_json(job), status=201)


class ModelView(APIView):
    """`/api/models/{name}`."""

    def delete(self, request: Request, name: str) -> Response:
        """Removes an installed one."""
        actor = require_administrator(request.user)
        services.remove(name, **_said(Removal(data=request.data)), actor=actor)
        return Response(status=204)


class VerifyView(APIView):
    """`/api/models/{name}/verify`."""

    def post(self, request: Request, name: str) -> Response:
        """Compares an installed one with Meta's code."""
        actor = require_administrator(request.user)
        return Response(selectors.work_json(services.verify(name, actor=actor)), status=201)


class DefaultView(APIView):
    """`/api/models/{name}/default`."""

    def post(self, request: Request, name: str) -> Response:
        """Makes it the one of projects that have chosen none."""
        services.make_default(name, actor=require_administrator(request.user))
        return Response(selectors.models_json())


class EmbeddingsView(APIView):
    """`/api/embeddings/{hash}`."""

    def delete(self, request: Request, model_hash: str) -> Response:
        """Removes the embeddings of a model that no project has."""
        actor = require_administrator(request.user)
        return Response(selectors.work_json(services.clear(model_hash, actor=actor)), status=202)


def _said(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


urlpatterns = [
    path("models", ModelsView.as_view()),
    path("models/<str:name>", ModelView.as_view()),
    path("models/<str:name>/verify", VerifyView.as_view()),
    path("models/<str:name>/default", DefaultView.as_view()),
    path("embeddings/<str:model_hash>", EmbeddingsView.as_view()),
]
