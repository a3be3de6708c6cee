"""A load worker's process: how it is started, told and heard."""
