"""Text in cells: colours, rows, numbers, layout."""
