"""Focus maps of whole slides: the engine, the grid, regions, colours, and maps on disk."""
