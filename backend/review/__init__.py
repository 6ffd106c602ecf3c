"""Review decisions on annotations."""
