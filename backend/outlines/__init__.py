"""Recipes of vectorisation tried out: on masks that are kept beside annotations, and on samples."""
