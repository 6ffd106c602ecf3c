"""The demo's people: their names, their roles and their one public password."""

from backend.projects.models import Role

DEMO_PASSWORD = "edgewise-demo"  # noqa: S105  (public on purpose; production refuses to start while they exist)
PEOPLE: dict[str, tuple[str, str]] = {
    "olivia": ("Olivia Owner", Role.OWNER),
    "anton": ("Anton Annotator", Role.ANNOTATOR),
    "rita": ("Rita Reviewer", Role.REVIEWER),
}
