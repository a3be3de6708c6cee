"""What binds, second by second, and why."""
