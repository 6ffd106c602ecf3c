"""Registers the room with Django, and tells the rooms below what they ask of those above."""

from django.apps import AppConfig


class Room(AppConfig):
    """Annotations in and out."""

    name = "backend.exchange"
    label = "exchange"

    def ready(self) -> None:
        """Cleans up after a project."""
        from backend.exchange import services
        from backend.projects import services as project_services

        project_services.on_delete.append(services.delete_of_project)
