"""Every address of the server."""

from django.urls import include, path, re_path

from backend.config import pages

urlpatterns = [
    path("api/health", pages.health),
    path("api/", include("backend.accounts.api")),
    path("api/", include("backend.projects.api")),
    path("api/", include("backend.rasters.api")),
    path("api/", include("backend.encoding.api")),
    path("api/", include("backend.annotations.api")),
    path("api/", include("backend.outlines.api")),
    path("api/", include("backend.review.api")),
    path("api/", include("backend.exchange.api")),
    path("api/", include("backend.administration.api")),
    re_path(r"^(?!api/|ws/|static/).*$", pages.app),
]
handler404 = "backend.config.errors.not_found"
handler500 = "backend.config.errors.server_error"
