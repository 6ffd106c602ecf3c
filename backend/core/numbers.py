"""What counts as a number in what users send: no booleans, nothing infinite, nothing beyond a double."""

import math


def is_number(value: object) -> bool:
    """Whether the value is a finite number that fits a double."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False
