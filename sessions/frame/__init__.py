"""A timeline at one instant, as plain values for a screen."""
