"""Projects, their members and roles, and their legend of label classes."""
