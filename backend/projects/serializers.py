"""Parses what is said about projects, members, invites and classes."""

from typing import Any

from rest_framework import serializers

from backend.projects.attributes import clean_schema
from backend.projects.models import LabelClass, Role


class ProjectFields(serializers.Serializer[Any]):
    """A project's own fields."""

    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=2000, allow_blank=True, required=False)


class Confirmation(serializers.Serializer[Any]):
    """The name typed again before a project is removed."""

    confirm_name = serializers.CharField(max_length=120)


class RoleField(serializers.Serializer[Any]):
    """A member's role."""

    role = serializers.ChoiceField(choices=Role.choices)


class NewInvite(RoleField):
    """A new invite."""

    expires_days = serializers.IntegerField(default=14)


class NewAccount(serializers.Serializer[Any]):
    """An invited person without an account."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    display_name = serializers.CharField(max_length=80, allow_blank=True, default="")


class ClassFields(serializers.ModelSerializer[LabelClass]):
    """A label class's fields."""

    attributes = serializers.JSONField(required=False)

    class Meta:
        model = LabelClass
        fields = ("name", "colour", "digit", "geometry_type", "outline", "order", "attributes")

    def validate_attributes(self, value: object) -> list[dict[str, Any]]:
        """The schema, checked entry by entry."""
        return clean_schema(value)
