"""Registers the room with Django, and tells the rooms below what they ask of those above."""

from django.apps import AppConfig


class Room(AppConfig):
    """Which windows are encoded."""

    name = "backend.encoding"
    label = "encoding"

    def ready(self) -> None:
        """Adds how much of a raster is encoded to what is said of it, what a worker can encode with to its beat, and
        removes embeddings with their raster.
        """
        from backend.encoding import ability, selectors, services
        from backend.jobs import services as jobs
        from backend.rasters import selectors as raster_selectors
        from backend.rasters import services as raster_services

        raster_selectors.encode_totals.append(selectors.totals)
        raster_services.on_delete.append(services.raster_removed)
        jobs.abilities.append(ability.said)
