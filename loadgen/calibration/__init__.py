"""A server of our own that stamps its sends: what the client's times are checked against."""
