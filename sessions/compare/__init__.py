"""Two sides of sessions held against each other: what got better or worse, and how sure that is."""
