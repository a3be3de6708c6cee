"""Staying with a run: on a screen, or headless with progress lines."""
