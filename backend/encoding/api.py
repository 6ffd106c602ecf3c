"""The addresses of encode windows and of jobs."""

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.policies import is_administrator
from backend.core.errors import Conflict, Invalid
from backend.encoding import choosing, engine, selectors, services
from backend.jobs import services as jobs
from backend.jobs.models import Job
from backend.jobs.selectors import job_json, jobs_of_project, workers_json
from backend.projects.models import Role
from backend.projects.policies import not_found, require_member, require_staff
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_of
from ml.windows import STRIDE


class WindowsView(APIView):
    """`/api/rasters/{id}/windows`."""

    def get(self, request: Request, raster_id: UUID) -> Response:
        """The planned windows with their states."""
        raster, _ = _viewable(request, raster_id, Role.VIEWER)
        return Response(selectors.windows_json(raster))


class PlanView(APIView):
    """`/api/rasters/{id}/encode-plan`."""

    def get(self, request: Request, raster_id: UUID) -> Response:
        """What encoding would take."""
        raster, _ = _viewable(request, raster_id, Role.VIEWER)
        stride = _stride(request.query_params.get("stride", STRIDE))
        model = engine.model_of(raster.project_id)
        found = selectors.plan(raster, model, stride)
        return Response(
            {
                "windows": found.windows,
                "ready": found.ready,
                "megabytes": found.megabytes,
                "minutes": found.minutes,
                "fits": found.fits,
                "megabytes_per_km2": found.megabytes_per_km2,
                "model": model.name,
                "seconds_per_window": found.seconds_per_window,
            }
        )


class EncodeJobsView(APIView):
    """`/api/rasters/{id}/encode-jobs`."""

    def post(self, request: Request, raster_id: UUID) -> Response:
        """Starts encoding."""
        raster, user = _viewable(request, raster_id, Role.OWNER)
        stride = _stride(request.data.get("stride", STRIDE) if isinstance(request.data, dict) else None)
        return Response(job_json(services.start(raster, stride, actor=user)), status=201)


class ProjectModelView(APIView):
    """`/api/projects/{id}/model`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """The project's model, and those that could be chosen."""
        require_member(request.user, project_id)
        return Response(choosing.choices_json(project_id))

    def put(self, request: Request, project_id: UUID) -> Response:
        """Chooses another one; an empty name is the server's default."""
        me = require_member(request.user, project_id, Role.OWNER)
        said = request.data.get("name") if isinstance(request.data, dict) else None
        if not isinstance(said, str):
            raise Invalid("Say the model's name; empty for the server's default.", code="model.unknown")
        choosing.choose(project_id, said, actor=me.user)
        return Response(choosing.choices_json(project_id))


class WorkersView(APIView):
    """`/api/workers`."""

    def get(self, request: Request) -> Response:
        """Which workers live, what they serve and what they can encode with; for administrators."""
        require_staff(request.user)
        return Response({"workers": workers_json()})


class JobsView(APIView):
    """`/api/projects/{id}/jobs`."""

    def get(self, request: Request, project_id: UUID) -> Response:
        """The project's jobs, newest first."""
        require_member(request.user, project_id)
        return Response({"jobs": [job_json(job) for job in jobs_of_project(project_id)]})


class JobView(APIView):
    """`/api/jobs/{id}`."""

    def get(self, request: Request, job_id: UUID) -> Response:
        """One job."""
        return Response(job_json(_job(request, job_id, Role.VIEWER)))


class CancelView(APIView):
    """`/api/jobs/{id}/cancel`."""

    def post(self, request: Request, job_id: UUID) -> Response:
        """Asks it to stop; what is done stays."""
        return Response(job_json(jobs.cancel(_job(request, job_id, Role.OWNER).id)))


class RetryView(APIView):
    """`/api/jobs/{id}/retry`."""

    def post(self, request: Request, job_id: UUID) -> Response:
        """Goes on where it stopped."""
        return Response(job_json(jobs.retry(_job(request, job_id, Role.OWNER).id)))


def _viewable(request: Request, raster_id: UUID, needed: Role) -> tuple[Raster, Any]:
    raster = raster_of(raster_id)
    user = require_member(request.user, raster.project_id, needed, noun="raster").user
    if raster.state != Raster.State.VIEWABLE:
        raise Conflict("This raster is not prepared yet. Wait until it can be viewed.", code="encode.not_viewable")
    return raster, user


def _job(request: Request, job_id: UUID, needed: Role) -> Job:
    """The job; those who asked for one may also stop it, whatever their role."""
    job = Job.objects.select_related("created_by").filter(id=job_id).first()
    if job is None:
        raise not_found("job")
    if job.project_id is None:
        if not is_administrator(request.user):
            raise not_found("job")
        return job
    mine = job.created_by_id is not None and job.created_by_id == getattr(request.user, "id", None)
    require_member(request.user, job.project_id, Role.VIEWER if mine else needed, noun="job")
    return job


def _stride(said: object) -> int:
    try:
        stride = int(str(said))
    except ValueError as error:
        raise Invalid("The stride is a whole number of pixels.", code="encode.invalid_stride") from error
    services.check_stride(stride)
    return stride


urlpatterns = [
    path("workers", WorkersView.as_view()),
    path("rasters/<uuid:raster_id>/windows", WindowsView.as_view()),
    path("rasters/<uuid:raster_id>/encode-plan", PlanView.as_view()),
    path("rasters/<uuid:raster_id>/encode-jobs", EncodeJobsView.as_view()),
    path("projects/<uuid:project_id>/model", ProjectModelView.as_view()),
    path("projects/<uuid:project_id>/jobs", JobsView.as_view()),
    path("jobs/<uuid:job_id>", JobView.as_view()),
    path("jobs/<uuid:job_id>/cancel", CancelView.as_view()),
    path("jobs/<uuid:job_id>/retry", RetryView.as_view()),
]
