"""Registers the top room with Django, so that its management commands are found and its checks run."""

from django.apps import AppConfig


class ConfigRoom(AppConfig):
    """The wiring room; it owns no table."""

    name = "backend.config"
    label = "config"

    def ready(self) -> None:
        from backend.config import checks  # noqa: F401
