"""The tables of annotations and their revisions."""

from django.contrib.gis.db import models

from backend.accounts.models import User
from backend.projects.models import LabelClass, Project
from backend.rasters.models import Raster


class Status(models.TextChoices):
    """Where an annotation stands in review."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    CHANGES_REQUESTED = "changes_requested"


class Annotation(models.Model):
    """A saved shape with its class, attributes, author and history. Its id is made by the browser."""

    id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="annotations")
    raster = models.ForeignKey(Raster, null=True, on_delete=models.SET_NULL, related_name="annotations")
    # RESTRICT, not PROTECT: a class in use stays, unless its whole project goes.
    label_class = models.ForeignKey(LabelClass, on_delete=models.RESTRICT, related_name="annotations")
    geometry = models.GeometryField(srid=4326)
    attributes = models.JSONField(default=dict)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.DRAFT)
    version = models.IntegerField(default=1)
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    updated_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    area_m2 = models.FloatField(default=0)
    length_m = models.FloatField(default=0)
    score = models.FloatField(null=True)
    provenance = models.JSONField(default=dict)
    said_hash = models.CharField(max_length=64)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "status"], name="annotation_by_status"),
            models.Index(fields=["project", "created_at", "id"], name="annotation_by_age"),
            models.Index(fields=["project", "updated_at", "id"], name="annotation_by_change"),
        ]


class Revision(models.Model):
    """An annotation as it was after one change. Together they are its whole history."""

    id = models.BigAutoField(primary_key=True)
    annotation = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="revisions")
    version = models.IntegerField()
    edit_id = models.UUIDField()
    kind = models.CharField(max_length=20)
    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    geometry = models.GeometryField(srid=4326, spatial_index=False)
    label_class_id = models.UUIDField()
    attributes = models.JSONField(default=dict)
    status = models.CharField(max_length=20, choices=Status.choices)
    comment = models.TextField(max_length=2000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotation", "version"], name="revision_once_per_version"),
            models.UniqueConstraint(fields=["annotation", "edit_id"], name="revision_once_per_edit"),
        ]
