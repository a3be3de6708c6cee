"""Traces: requests that somebody's server got, with when they came and how long they were."""
