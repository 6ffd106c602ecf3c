"""Encode jobs, and which windows of which raster are encoded by which model."""
