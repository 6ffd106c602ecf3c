"""The addresses of exports."""

import asyncio
import os
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, BinaryIO
from uuid import UUID

from django.http import HttpResponseBase, StreamingHttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.core.clock import iso
from backend.core.errors import Conflict, Invalid
from backend.exchange import services
from backend.exchange.models import Export
from backend.jobs.models import Job
from backend.projects.models import Role
from backend.projects.policies import not_found, require_member

CONTENT_TYPES = {"geojson": "application/geo+json", "gpkg": "application/geopackage+sqlite3"}
MAX_LISTED = 200
PIECE_BYTES = 1024 * 1024


class ExportsView(APIView):
    """`/api/projects/{id}/exports`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """The project's exports, newest first."""
        require_member(request.user, project_id)
        rows = Export.objects.filter(project_id=project_id).select_related("created_by").order_by("-created_at")
        return Response({"exports": _exports_json(list(rows[:MAX_LISTED]))})

    def post(self, request: Request, project_id: UUID) -> Response:
        """Asks for one; any member may."""
        member = require_member(request.user, project_id)
        if not isinstance(request.data, dict):
            raise Invalid("Say format, crs and filters.", code="export.invalid")
        export = services.ask(member.project, request.data, actor=member.user)
        return Response(_exports_json([export])[0], status=201)


class ExportView(APIView):
    """`/api/exports/{id}`."""

    def get(self, request: Request, export_id: UUID) -> Response:
        """One export with its progress."""
        return Response(_exports_json([_export(request, export_id)])[0])

    def delete(self, request: Request, export_id: UUID) -> Response:
        """Removes it; one's own, or as an owner of the project."""
        export = _export(request, export_id)
        if export.created_by_id != getattr(request.user, "id", None):
            require_member(request.user, export.project_id, Role.OWNER, noun="export")
        services.delete(export)
        return Response(status=204)


class DownloadView(APIView):
    """`/api/exports/{id}/download`."""

    def get(self, request: Request, export_id: UUID) -> HttpResponseBase:
        """The file, streamed, to be saved."""
        export = _export(request, export_id)
        try:
            file = services.file_of(export).open("rb")
        except FileNotFoundError as error:
            raise Conflict(
                "There is no file: the export is not finished, or did not end well. Wait, or start another.",
                code="export.not_ready",
            ) from error
        return Download(file, export.filename, CONTENT_TYPES[export.format])


class Download(StreamingHttpResponse):
    """A file to be saved, piece by piece, whichever kind of server sends it."""

    def __init__(self, file: BinaryIO, filename: str, content_type: str) -> None:
        super().__init__(iter(partial(file.read, PIECE_BYTES), b""), content_type=content_type)
        self._file = file
        self["Content-Length"] = str(os.fstat(file.fileno()).st_size)
        self["Content-Disposition"] = f'attachment; filename="{filename}"'
        self["X-Content-Type-Options"] = "nosniff"
        self["Cache-Control"] = "private, no-store"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Reads in threads; the server would else hold the whole file in memory."""
        pieces = iter(self)
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece

    def close(self) -> None:
        """Also when nobody has read a piece."""
        super().close()
        self._file.close()


def _export(request: Request, export_id: UUID) -> Export:
    export = Export.objects.select_related("created_by").filter(id=export_id).first()
    if export is None:
        raise not_found("export")
    require_member(request.user, export.project_id, noun="export")
    return export


def _exports_json(exports: list[Export]) -> list[dict[str, Any]]:
    jobs = {job.id: job for job in Job.objects.filter(id__in=[export.job_id for export in exports])}
    return [_json(export, jobs.get(export.job_id) if export.job_id else None) for export in exports]


def _json(export: Export, job: Job | None) -> dict[str, Any]:
    by = export.created_by
    return {
        "id": str(export.id),
        "format": export.format,
        "crs": export.crs,
        "filters": export.filters,
        "state": job.state if job else "failed",
        "total": job.total if job else 0,
        "done": job.done if job else 0,
        "size_bytes": export.size_bytes or None,  # not known before it is done
        "filename": export.filename,
        "created_by": {"id": str(by.id), "display_name": by.display_name or by.username} if by else None,
        "created_at": iso(export.created_at),
        "error": job.error if job else None,
        "job": str(export.job_id) if export.job_id else None,
        "expires_at": iso(export.created_at + services.KEPT),
    }


urlpatterns = [
    path("projects/<uuid:project_id>/exports", ExportsView.as_view()),
    path("exports/<uuid:export_id>", ExportView.as_view()),
    path("exports/<uuid:export_id>/download", DownloadView.as_view()),
]
