"""A store opened to read from Python: questions, features, datasets and models as of one commit."""
