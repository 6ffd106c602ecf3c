"""Registers the room with Django."""

from django.apps import AppConfig


class Room(AppConfig):
    """See the package's first line."""

    name = "backend.administration"
    label = "administration"
