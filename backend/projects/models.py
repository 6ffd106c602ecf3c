"""The tables of projects, members, invites and label classes."""

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from backend.accounts.models import User


class Role(models.TextChoices):
    """What a member may do; each includes what stands below it."""

    VIEWER = "viewer"
    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    OWNER = "owner"


class Project(models.Model):
    """A team's workspace."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    description = models.TextField(max_length=2000, blank=True)
    model = models.CharField(max_length=80, blank=True, default="")  # its name; empty for the server's default
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)


class Member(models.Model):
    """A user's role in a project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="member_once_per_project")]


class Invite(models.Model):
    """A link that makes its bearer a member, once; only the token's SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invites")
    role = models.CharField(max_length=10, choices=Role.choices)
    digest = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    used_at = models.DateTimeField(null=True)


class LabelClass(models.Model):
    """An entry of the project's legend."""

    class GeometryType(models.TextChoices):
        """What shape its annotations have."""

        POLYGON = "polygon"
        LINE = "line"
        POINT = "point"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="classes")
    name = models.CharField(max_length=80)
    colour = models.CharField(max_length=7, validators=[RegexValidator(r"^#[0-9a-fA-F]{6}\Z")])
    digit = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(9)]
    )
    geometry_type = models.CharField(max_length=8, choices=GeometryType.choices, default=GeometryType.POLYGON)
    recipe = models.JSONField(default=dict)  # of vectorisation, see `ml.vectorize.Recipe`
    # metres up to which a gap to a neighbour of the class is closed, or a line's end led to it; null: they stand alone
    shared_border_m = models.FloatField(null=True, blank=True)
    order = models.IntegerField(default=0)
    attributes = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="class_name_once_per_project"),
            models.UniqueConstraint(fields=["project", "digit"], name="class_digit_once_per_project"),
        ]
