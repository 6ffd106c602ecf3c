"""The tables of rasters and their uploads."""

import uuid

from django.contrib.gis.db import models

from backend.accounts.models import User
from backend.projects.models import Project


class Raster(models.Model):
    """One registered georeferenced image, from its registration to its tiles."""

    class State(models.TextChoices):
        """How far it is; how much of it is encoded is derived elsewhere and never stored."""

        UPLOADING = "uploading"
        INSPECTING = "inspecting"
        PREPARING = "preparing"
        VIEWABLE = "viewable"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rasters")
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=12, choices=State.choices)
    version = models.IntegerField(default=1)
    error = models.JSONField(null=True)
    # Where the file as given lies: below the data folder when uploaded, absolute when registered from a folder.
    source_path = models.TextField()
    source_is_ours = models.BooleanField(default=True)
    cog_path = models.TextField(blank=True)
    given_crs = models.TextField(blank=True)
    crs = models.TextField(blank=True)
    crs_name = models.CharField(max_length=200, blank=True)
    epsg = models.IntegerField(null=True)
    transform = models.JSONField(null=True)
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)
    bands = models.JSONField(default=list)
    palette = models.JSONField(null=True)
    recipe = models.JSONField(null=True)
    # Stands for the file's contents: another file under the same path makes other tiles and embeddings.
    pixels = models.CharField(max_length=64, blank=True)
    recipe_hash = models.CharField(max_length=64, blank=True)
    pixel_size_m = models.JSONField(null=True)
    footprint = models.GeometryField(srid=4326, null=True)
    minzoom = models.IntegerField(null=True)
    maxzoom = models.IntegerField(null=True)
    size_bytes = models.BigIntegerField(default=0)
    acquired_on = models.DateField(null=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-created_at"], name="raster_by_project")]


class Upload(models.Model):
    """A file on its way in, by the tus protocol."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    raster = models.ForeignKey(Raster, on_delete=models.CASCADE, related_name="uploads")
    filename = models.CharField(max_length=200)
    sidecar = models.BooleanField(default=False)
    length = models.BigIntegerField()
    offset = models.BigIntegerField(default=0)
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    finished_at = models.DateTimeField(null=True)
