"""Charts in braille and blocks, as grids of cells."""
