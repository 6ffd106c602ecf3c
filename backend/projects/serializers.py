"""Parses what is said about projects, members, invites and classes."""

import math
from typing import Any

from rest_framework import serializers

from backend.projects.attributes import clean_schema
from backend.projects.models import LabelClass, Role
from ml.vectorize import Recipe, RecipeError

LEAST_BORDER_M, MOST_BORDER_M = 0.01, 100.0


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
    recipe = serializers.JSONField(required=False)
    shared_border_m = serializers.FloatField(
        required=False, allow_null=True, min_value=LEAST_BORDER_M, max_value=MOST_BORDER_M
    )

    class Meta:
        model = LabelClass
        fields = ("name", "colour", "digit", "geometry_type", "recipe", "shared_border_m", "order", "attributes")

    def validate_attributes(self, value: object) -> list[dict[str, Any]]:
        """The schema, checked entry by entry."""
        return clean_schema(value)

    def validate_recipe(self, value: object) -> dict[str, Any]:
        """All fields of a recipe of vectorisation, those that were not said with their defaults."""
        try:
            return Recipe.from_json(value).as_json()
        except RecipeError as error:
            raise serializers.ValidationError(str(error)) from error

    def validate_shared_border_m(self, value: float | None) -> float | None:
        """A finite number; NaN passes the bounds, which it is neither above nor below."""
        if value is not None and not math.isfinite(value):
            raise serializers.ValidationError("Give a number of metres.")
        return value
