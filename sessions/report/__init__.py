"""A run as a file to send to somebody: what was found, then the pictures, then every figure."""
