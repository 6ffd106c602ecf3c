"""Procedural overhead scenes with a number for every object in them."""

from ml.training.scenes.compose import Scene, make_scene

__all__ = ["Scene", "make_scene"]
