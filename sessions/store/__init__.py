"""A session on disk: journals of one writer each and a manifest, read back while it grows."""
