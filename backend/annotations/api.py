"""The addresses of annotations, their history, the project's counts and its events."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.annotations import selectors, services
from backend.annotations.borders import preview
from backend.annotations.models import Annotation
from backend.annotations.pages import page
from backend.annotations.serializers import Change, Fitting, Guard, NewAnnotation, read_filters, read_number
from backend.core.errors import Invalid
from backend.events.selectors import event_json, events_since, last_seq
from backend.projects.models import Member, Role
from backend.projects.policies import require_member

MAX_EVENTS = 1000


class AnnotationsView(APIView):
    """`/api/projects/{id}/annotations`."""

    def get(self, request: Request, project_id: UUID) -> HttpResponse:
        """A page of the project's annotations."""
        require_member(request.user, project_id)
        query = request.query_params
        seq = last_seq(project_id)  # before the rows: whoever replays from here misses nothing
        found = page(
            project_id,
            read_filters(query),
            query.get("order", "created"),
            query.get("cursor", ""),
            read_number(query, "limit", 500),
        )
        return HttpResponse(found.json(seq), content_type="application/json")


class AnnotationView(APIView):
    """`/api/annotations/{uuid}`."""

    def get(self, request: Request, annotation_id: UUID) -> Response:
        """One annotation, also a deleted one."""
        annotation, _ = _annotation(request, annotation_id, Role.VIEWER)
        return Response(selectors.annotation_json(annotation))

    def put(self, request: Request, annotation_id: UUID) -> Response:
        """Creates it; saying the same again changes nothing."""
        said = _said(NewAnnotation(data=request.data))
        member = require_member(request.user, said.pop("project"), Role.ANNOTATOR)
        plain = {key: str(value) if isinstance(value, UUID) else value for key, value in said.items()}
        annotation, created = services.create(annotation_id, plain, member=member)
        return Response(selectors.annotation_json(annotation), status=201 if created else 200)

    def patch(self, request: Request, annotation_id: UUID) -> Response:
        """Changes it."""
        _, member = _annotation(request, annotation_id, Role.ANNOTATOR)
        said = _said(Change(data=request.data))
        guard = services.Edit(said.pop("version"), said.pop("edit_id"))
        if not said:
            raise Invalid("Say what to change: geometry, label_class or attributes.", code="annotation.no_change")
        return Response(selectors.annotation_json(services.edit(annotation_id, guard, said, member=member)))

    def delete(self, request: Request, annotation_id: UUID) -> Response:
        """Takes it off the map."""
        _, member = _annotation(request, annotation_id, Role.ANNOTATOR)
        guard = services.Edit(**_said(Guard(data=request.data)))
        return Response(selectors.annotation_json(services.delete(annotation_id, guard, member=member)))


class RestoreView(APIView):
    """`/api/annotations/{uuid}/restore`."""

    def post(self, request: Request, annotation_id: UUID) -> Response:
        """Puts a deleted annotation back."""
        _, member = _annotation(request, annotation_id, Role.ANNOTATOR)
        guard = services.Edit(**_said(Guard(data=request.data)))
        return Response(selectors.annotation_json(services.restore(annotation_id, guard, member=member)))


class RevisionsView(APIView):
    """`/api/annotations/{uuid}/revisions`."""

    def get(self, request: Request, annotation_id: UUID) -> Response:
        """Its history."""
        _annotation(request, annotation_id, Role.VIEWER)
        return Response({"revisions": selectors.revisions_of(annotation_id)})


class FitView(APIView):
    """`/api/projects/{id}/fit`."""

    def post(self, request: Request, project_id: UUID) -> Response:
        """How a shape would be stored beside its neighbours; stores nothing."""
        member = require_member(request.user, project_id, Role.ANNOTATOR)
        said = _said(Fitting(data=request.data))
        fit = preview(said["label_class"], said["geometry"], said.get("annotation"), member=member)
        return Response(
            {
                "geometry": selectors.shape_json(fit.shape.geometry),
                "area_m2": round(fit.shape.area_m2, 4),
                "neighbours": fit.neighbours,
            }
        )


class StatsView(APIView):
    """`/api/projects/{id}/stats`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """Counts by status, class and author."""
        require_member(request.user, project_id)
        return Response(selectors.stats(project_id))


class EventsView(APIView):
    """`/api/projects/{id}/events`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """The facts after a number, in order."""
        require_member(request.user, project_id)
        since = read_number(request.query_params, "since", 0)
        limit = max(1, min(read_number(request.query_params, "limit", 500), MAX_EVENTS))
        found = events_since(project_id, since, limit)
        last = last_seq(project_id)
        more = (found[-1].seq if found else since) < last
        return Response({"events": [event_json(event) for event in found], "seq": last, "more": more})


def _annotation(request: Request, annotation_id: UUID, needed: Role) -> tuple[Annotation, Member]:
    annotation = selectors.annotation_of(annotation_id)
    return annotation, require_member(request.user, annotation.project_id, needed, noun="annotation")


def _said(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


urlpatterns = [
    path("projects/<uuid:project_id>/annotations", AnnotationsView.as_view()),
    path("projects/<uuid:project_id>/stats", StatsView.as_view()),
    path("projects/<uuid:project_id>/fit", FitView.as_view()),
    path("projects/<uuid:project_id>/events", EventsView.as_view()),
    path("annotations/<uuid:annotation_id>", AnnotationView.as_view()),
    path("annotations/<uuid:annotation_id>/restore", RestoreView.as_view()),
    path("annotations/<uuid:annotation_id>/revisions", RevisionsView.as_view()),
]
