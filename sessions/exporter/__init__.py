"""A run's figures for Prometheus, from the session's files, in a process of its own."""
