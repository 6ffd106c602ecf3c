"""The one public password of all demo accounts; production refuses to start while they exist."""

DEMO_PASSWORD = "edgewise-demo"  # noqa: S105  (public on purpose)
