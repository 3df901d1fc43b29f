"""Regions: each row is an array, the voxels around a lesion that networks read."""

from __future__ import annotations

from schemas.plain_keys import sql_name

__all__ = ["Regions"]


class Regions:
    """Rows of arrays; a set's view tells how each was registered and cropped, without the array."""

    name = "regions"
    is_of_masks = True

    def view(self, feature_set: str) -> str:
        """Return the view that tells of the regions of ``name@N``."""
        return sql_name(feature_set)

    def chosen_by(self, feature_set: str) -> str:
        """Return no condition: the view has no other rows."""
        return ""
