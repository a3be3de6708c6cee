"""A run as one value, and whether to believe it."""
