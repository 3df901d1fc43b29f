"""Embeddings: each row is a list of numbers that a network gives for an image."""

from __future__ import annotations

__all__ = ["Embedding"]


class Embedding:
    """Rows of networks' outputs, all sets' in one view."""

    name = "embedding"
    is_of_masks = True

    def view(self, feature_set: str) -> str:
        """Return the view of all embeddings."""
        return "embeddings"

    def chosen_by(self, feature_set: str) -> str:
        """Return the condition that leaves the set's rows."""
        return f"feature_set = '{feature_set}'"
