"""Annotations in and out: exporters."""
