"""A classifier and a network for radzoo."""
