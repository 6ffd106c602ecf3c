"""The demo's people: their names, their roles and their one public password."""

from backend.accounts.demo import DEMO_PASSWORD
from backend.projects.models import Role

__all__ = ["DEMO_PASSWORD", "PEOPLE"]

PEOPLE: dict[str, tuple[str, str]] = {
    "olivia": ("Olivia Owner", Role.OWNER),
    "anton": ("Anton Annotator", Role.ANNOTATOR),
    "rita": ("Rita Reviewer", Role.REVIEWER),
}
