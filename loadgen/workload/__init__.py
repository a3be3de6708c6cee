"""What each request asks: its number to its prompt, lengths, conversation and tags."""
