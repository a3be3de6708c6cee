"""The client measured, and what was found."""
