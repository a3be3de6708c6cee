"""What each request asks: its number to its prompt and lengths."""
