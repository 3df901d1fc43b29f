"""Radiomics: an extraction gives each mask a row, with a column for each feature."""

from __future__ import annotations

from schemas.plain_keys import Combination, MaskKey, sql_name
from store.kinds.combined import WEIGHT, combined_rows, complete_rows

__all__ = ["Radiomics"]

_KEYS = ", ".join(MaskKey._fields)


class Radiomics:
    """Rows of masks: what an extraction calculated of an image inside one."""

    name = "radiomics"
    details = ("grey_levels", "zero_fraction")
    comments = {  # noqa: RUF012  (never changed)
        "extraction_id": "sha256(image content + mask content + definition, and phase where each has its scale)",
        "grey_levels": "number of grey levels inside the mask after discretisation, per image type",
        "zero_fraction": "share of mask voxels that are zero but for rounding, per image type",
    }
    keys_from = "m"
    mask_join = "join catalogue.masks m on s.image_sha256 = m.image_sha256 and s.mask_sha256 = m.mask_sha256"
    of_mask = "and (e.context_sha256 is null or s.phase = m.phase)"
    is_of_masks = True

    def view(self, feature_set: str) -> str:
        """Return the view that shows the rows of ``name@N``."""
        return sql_name(feature_set)

    def chosen_by(self, feature_set: str) -> str:
        """Return no condition: the view has no other rows."""
        return ""

    def with_primary(self, view: str, primary: str) -> tuple[str, str]:
        """Return whether models read a row: where its mask is primary in a study."""
        return "coalesce(p.is_primary, false)", f"left join ({primary}) p using ({_KEYS})"

    def primary_rows(self, view: str, study: str, feature_set: str, combination: Combination = "none") -> str:
        """Return the rows of the study's primary masks; a lesion's weight is its volume, or that of any other."""
        primary = f"where m.study = {study} and m.is_primary"
        if combination == "none":
            return f"""    select w.*
    from {view} w join study_masks m using ({_KEYS})
    {primary}"""
        weight = "k.volume_mm3" if combination == "volume-weighted" else "1.0::double"
        beside = ", ".join(("reader", "reading", "extraction_id", *self.details))
        rows = f"""        select w.* exclude ({beside}), {weight} as {WEIGHT}
        {complete_rows(view, study, "patient", "phase", where="m.is_primary")}"""
        return combined_rows(rows, "patient", "phase")
