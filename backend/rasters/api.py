"""The addresses of rasters, their uploads and their tiles."""

from typing import Any, BinaryIO, cast
from uuid import UUID

from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.core.errors import Conflict, Invalid
from backend.projects.models import Role
from backend.projects.policies import not_found, require_member
from backend.rasters import selectors, services, tiles, uploads
from backend.rasters.folders import listing
from backend.rasters.models import Raster, Upload


class PieceParser(BaseParser):
    """Hands a piece of an upload on as the stream it is."""

    media_type = "application/offset+octet-stream"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """The stream itself."""
        return stream


class Register(serializers.Serializer[Any]):
    """A file of an allowed folder."""

    path = serializers.CharField(max_length=1000)
    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class RasterFields(serializers.Serializer[Any]):
    """What can be changed of a raster."""

    name = serializers.CharField(max_length=200, required=False)
    acquired_on = serializers.DateField(required=False, allow_null=True)
    recipe = serializers.JSONField(required=False)


class RastersView(APIView):
    """`/api/projects/{id}/rasters`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """The project's rasters."""
        require_member(request.user, project_id)
        return Response({"rasters": selectors.rasters_json(selectors.rasters_of(project_id))})

    def post(self, request: Request, project_id: UUID) -> Response:
        """Registers a file of an allowed folder."""
        member = require_member(request.user, project_id, Role.OWNER)
        said = Register(data=request.data)
        said.is_valid(raise_exception=True)
        raster = services.register_file(project_id, **said.validated_data, actor=member.user)
        return Response(selectors.raster_json(raster), status=201)


class FoldersView(APIView):
    """`/api/projects/{id}/raster-folders`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """What lies in the allowed folders."""
        require_member(request.user, project_id, Role.OWNER)
        found = listing(request.query_params.get("path", ""))
        return Response(
            {
                "enabled": bool(listing("").folders),
                "path": found.path,
                "folders": found.folders,
                "files": [{"name": name, "size": size} for name, size in found.files],
            }
        )


class RasterView(APIView):
    """`/api/rasters/{id}`."""

    def get(self, request: Request, raster_id: UUID) -> Response:
        """One raster."""
        return Response(selectors.raster_json(_raster(request, raster_id, Role.VIEWER)[0]))

    def patch(self, request: Request, raster_id: UUID) -> Response:
        """Changes its name, date or band recipe."""
        raster, user = _raster(request, raster_id, Role.OWNER)
        said = RasterFields(data=request.data)
        said.is_valid(raise_exception=True)
        return Response(selectors.raster_json(services.change(raster, said.validated_data, actor=user)))

    def delete(self, request: Request, raster_id: UUID) -> Response:
        """Removes it; annotations stay."""
        raster, user = _raster(request, raster_id, Role.OWNER)
        services.delete(raster, actor=user)
        return Response(status=204)


class CrsView(APIView):
    """`/api/rasters/{id}/crs`."""

    def post(self, request: Request, raster_id: UUID) -> Response:
        """Gives a file its coordinate system and inspects it again."""
        raster, user = _raster(request, raster_id, Role.OWNER)
        crs = request.data.get("crs") if isinstance(request.data, dict) else None
        if not isinstance(crs, str) or not crs.strip():
            raise Invalid("Give a CRS such as EPSG:32633.", code="raster.invalid_crs")
        return Response(selectors.raster_json(services.give_crs(raster, crs, actor=user)))


class RetryView(APIView):
    """`/api/rasters/{id}/retry`."""

    def post(self, request: Request, raster_id: UUID) -> Response:
        """Inspects and prepares it again."""
        raster, user = _raster(request, raster_id, Role.OWNER)
        return Response(selectors.raster_json(services.prepare_again(raster, actor=user)))


class TileJsonView(APIView):
    """`/api/rasters/{id}/tilejson.json`."""

    def get(self, request: Request, raster_id: UUID) -> Response:
        """TileJSON 3.0.0, for this server and for a GIS."""
        raster, _ = _raster(request, raster_id, Role.VIEWER)
        if raster.state != Raster.State.VIEWABLE or raster.footprint is None:
            raise Conflict("This raster is not prepared yet. Wait until it can be viewed.", code="raster.not_viewable")
        west, south, east, north = raster.footprint.extent
        url = request.build_absolute_uri(f"/api/rasters/{raster.id}/tiles/") + "{z}/{x}/{y}"
        return Response(
            {
                "tilejson": "3.0.0",
                "name": raster.name,
                "version": f"{raster.version}.0.0",
                "scheme": "xyz",
                "tiles": [f"{url}?v={raster.version}"],
                "minzoom": raster.minzoom,
                "maxzoom": raster.maxzoom,
                "bounds": [west, south, east, north],
                "center": [(west + east) / 2, (south + north) / 2, raster.minzoom],
            }
        )


class UploadsView(APIView):
    """`/api/projects/{id}/uploads`: tus creation."""

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """What this server can do, in tus headers."""
        require_member(request.user, kwargs["project_id"])
        response = _tus(HttpResponse(status=204))
        response["Tus-Max-Size"] = str(uploads.max_length())
        return response

    def post(self, request: Request, project_id: UUID) -> HttpResponse:
        """Makes room for a file."""
        member = require_member(request.user, project_id, Role.OWNER)
        _same_version(request)
        said = uploads.metadata(request.headers.get("Upload-Metadata", ""))
        length = _number(request, "Upload-Length")
        upload = uploads.begin(project_id, length, said, actor=member.user)
        response = _tus(HttpResponse(status=201))
        response["Location"] = f"/api/uploads/{upload.id}"
        response["Upload-Offset"] = "0"
        response["Upload-Raster"] = str(upload.raster_id)
        return response


class UploadView(APIView):
    """`/api/uploads/{id}`: tus core and termination."""

    parser_classes = (PieceParser,)

    def head(self, request: Request, upload_id: UUID) -> HttpResponse:
        """How much has arrived."""
        upload = _upload(request, upload_id)
        response = _tus(HttpResponse(status=200))
        response["Upload-Offset"], response["Upload-Length"] = str(upload.offset), str(upload.length)
        response["Cache-Control"] = "no-store"
        return response

    def patch(self, request: Request, upload_id: UUID) -> HttpResponse:
        """The next piece."""
        upload = _upload(request, upload_id)
        _same_version(request)
        if request.content_type != PieceParser.media_type:
            raise Invalid("Send pieces as application/offset+octet-stream.", code="upload.invalid")
        offset = _number(request, "Upload-Offset")
        upload = uploads.append(upload.id, offset, cast(BinaryIO, request._request), actor=upload.created_by)
        response = _tus(HttpResponse(status=204))
        response["Upload-Offset"] = str(upload.offset)
        return response

    def delete(self, request: Request, upload_id: UUID) -> HttpResponse:
        """Gives it up."""
        upload = _upload(request, upload_id)
        uploads.remove(upload, actor=upload.created_by)
        return _tus(HttpResponse(status=204))


def _raster(request: Request, raster_id: UUID, needed: Role) -> tuple[Raster, Any]:
    raster = selectors.raster_of(raster_id)
    return raster, require_member(request.user, raster.project_id, needed, noun="raster").user


def _upload(request: Request, upload_id: UUID) -> Upload:
    """One's own unfinished upload; owners of the project may see to the others'."""
    upload = Upload.objects.select_related("raster", "created_by").filter(id=upload_id).first()
    if upload is None:
        raise not_found("upload")
    require_member(request.user, upload.raster.project_id, Role.OWNER, noun="upload")
    if upload.finished_at is not None and request.method != "HEAD":
        raise not_found("upload")
    return upload


def _number(request: Request, header: str) -> int:
    said = request.headers.get(header, "")
    if not said.isascii() or not said.isdigit() or len(said) > 15:
        raise Invalid(f"The header {header} is missing or not a number.", code="upload.invalid")
    return int(said)


def _same_version(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != uploads.VERSION:
        raise Invalid(
            f"Send the header Tus-Resumable: {uploads.VERSION}, the version of the upload protocol spoken here.",
            code="upload.version",
        )


def _tus(response: HttpResponse) -> HttpResponse:
    response["Tus-Resumable"] = uploads.VERSION
    response["Tus-Version"] = uploads.VERSION
    response["Tus-Extension"] = "creation,termination"
    return response


urlpatterns = [
    path("projects/<uuid:project_id>/rasters", RastersView.as_view()),
    path("projects/<uuid:project_id>/raster-folders", FoldersView.as_view()),
    path("projects/<uuid:project_id>/uploads", UploadsView.as_view()),
    path("uploads/<uuid:upload_id>", UploadView.as_view()),
    path("rasters/<uuid:raster_id>", RasterView.as_view()),
    path("rasters/<uuid:raster_id>/crs", CrsView.as_view()),
    path("rasters/<uuid:raster_id>/retry", RetryView.as_view()),
    path("rasters/<uuid:raster_id>/tilejson.json", TileJsonView.as_view()),
    path("rasters/<uuid:raster_id>/tiles/<int:z>/<int:x>/<int:y>", tiles.tile),
    path("rasters/<uuid:raster_id>/thumbnail", tiles.thumbnail),
]
