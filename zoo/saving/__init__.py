"""Models as folders of hashed files that run no code."""
