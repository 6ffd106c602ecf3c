"""The table of exports."""

import uuid

from django.db import models

from backend.accounts.models import User
from backend.projects.models import Project


class Export(models.Model):
    """A file of a project's annotations that somebody asked for."""

    class Format(models.TextChoices):
        """What kind of file."""

        GEOJSON = "geojson"
        GPKG = "gpkg"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="exports")
    format = models.CharField(max_length=10, choices=Format.choices)
    crs = models.CharField(max_length=200)
    filters = models.JSONField(default=dict)
    job_id = models.UUIDField(null=True)
    filename = models.CharField(max_length=200)
    size_bytes = models.BigIntegerField(default=0)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
