"""One file a strip of the overview."""
