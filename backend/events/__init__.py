"""Typed, numbered facts, written in the transaction of the change and told after commit."""
