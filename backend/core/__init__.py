"""What every room may use: errors, ids and the clock; standard library only."""
