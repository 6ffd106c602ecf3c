"""The record of truth: annotations, their revisions and every change to them."""
