"""From a key to what it means, and commands on their way to the run; draws nothing."""
