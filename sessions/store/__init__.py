"""A session on disk: written by one writer a file, read back while it grows."""
