"""Registers the room with Django, and tells the rooms below what they ask of those above."""

from django.apps import AppConfig


class Room(AppConfig):
    """The record of truth."""

    name = "backend.annotations"
    label = "annotations"

    def ready(self) -> None:
        """Adds the counts to the project list, and says which classes are in use."""
        from backend.annotations import selectors
        from backend.projects import classes
        from backend.projects import selectors as project_selectors

        project_selectors.card_counts.append(selectors.counts_by_status)
        classes.uses.append(selectors.count_of_class)
