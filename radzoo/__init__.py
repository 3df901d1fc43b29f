"""``python -m radzoo``: the command line where its script is not on the path."""
