"""Registers the room with Django, and tells the rooms below what they ask of those above."""

from django.apps import AppConfig


class Room(AppConfig):
    """A raster from its registration to viewable tiles."""

    name = "backend.rasters"
    label = "rasters"

    def ready(self) -> None:
        """Adds the raster count to the project list, and cleans up after a project."""
        from backend.jobs import services as job_services
        from backend.projects import selectors as project_selectors
        from backend.projects import services as project_services
        from backend.rasters import selectors, services

        project_selectors.card_counts.append(selectors.raster_counts)
        project_services.on_delete.append(services.delete_of_project)
        job_services.on_end.append(services.preparation_ended)
