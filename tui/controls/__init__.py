"""From a key to what it means; nothing here draws or waits."""
