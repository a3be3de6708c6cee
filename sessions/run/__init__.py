"""A live run: launched, supervised, commanded, ended."""
