"""Management commands that wire several rooms."""
