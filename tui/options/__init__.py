"""What may be typed at the command line, and the exit codes."""
