"""A run, recorded: hosts it while it lives, writes it down, reads it back, sums it up."""
