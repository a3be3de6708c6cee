"""A run, recorded: supervised while it lives, written down, read back, summed up."""
