"""Whether a stretch of constant load came to a steady state, and which part of it is measured."""
