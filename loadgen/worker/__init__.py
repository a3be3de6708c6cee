"""One load worker: due requests out, records in."""
