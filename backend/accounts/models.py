"""The tables of users and their API tokens."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models

COLOURS = (
    "#e8590c",
    "#1c7ed6",
    "#2b8a3e",
    "#ae3ec9",
    "#c2255c",
    "#0b7285",
    "#5f3dc4",
    "#a61e4d",
    "#846358",
    "#364fc7",
)


class User(AbstractUser):
    """A person who signs in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    display_name = models.CharField(max_length=80, blank=True)
    is_demo = models.BooleanField(default=False)

    @property
    def colour(self) -> str:
        """A stable colour for cursors and avatars, from the id."""
        return COLOURS[self.id.int % len(COLOURS)]


class ApiToken(models.Model):
    """A secret for scripts; only its SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)


class Attempt(models.Model):
    """A failed sign-in, remembered for a quarter of an hour."""

    kind = models.CharField(max_length=10)
    scope = models.CharField(max_length=10)
    key = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["kind", "scope", "key", "at"], name="attempt_by_key")]
