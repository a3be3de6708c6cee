"""All that needs Textual, and only that."""
