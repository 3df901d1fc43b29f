"""What the catalogue speaks of: segments, staged rows, regions, datasets."""
