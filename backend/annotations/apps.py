"""Registers the room with Django, and tells the rooms below what they ask of those above."""

from django.apps import AppConfig


class Room(AppConfig):
    """The record of truth."""

    name = "backend.annotations"
    label = "annotations"

    def ready(self) -> None:
        """Adds the counts to the project list, and says which classes are in use and which shapes lie near a click."""
        from backend.annotations import selectors
        from backend.projects import classes
        from backend.projects import selectors as project_selectors
        from backend.segmentation import groups

        groups.shapes_near.append(selectors.shapes_near)
        project_selectors.card_counts.append(selectors.counts_by_status)
        classes.uses.append(selectors.count_of_class)
