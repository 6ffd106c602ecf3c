"""Wires every room together; nothing imports it."""
