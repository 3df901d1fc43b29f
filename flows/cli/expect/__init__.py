"""The verb ``expect``: what must hold of a study, and whether it does."""
