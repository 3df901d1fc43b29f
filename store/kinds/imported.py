"""Imported tables: a row is a table's, with a key of its own; nobody need have drawn a mask."""

from __future__ import annotations

from schemas.plain_keys import Combination, sql_name
from store.kinds.combined import WEIGHT, combined_rows

__all__ = ["Imported"]


class Imported:
    """Rows of a table from elsewhere: one for each patient and phase, and models read it."""

    name = "imported"
    details = ()
    comments = {"extraction_id": "sha256(the row's keys and values + definition)"}  # noqa: RUF012  (never changed)
    keys_from = "s"
    mask_join = ""
    of_mask = ""
    is_of_masks = False

    def view(self, feature_set: str) -> str:
        """Return the view that shows the rows of ``name@N``."""
        return sql_name(feature_set)

    def chosen_by(self, feature_set: str) -> str:
        """Return no condition: the view has no other rows."""
        return ""

    def with_primary(self, view: str, primary: str) -> tuple[str, str]:
        """Return that models read every row."""
        return "true", ""

    def primary_rows(self, view: str, study: str, feature_set: str, combination: Combination = "none") -> str:
        """Return the rows that the study's own table gave; of its lesions no volume is known, and all weigh alike."""
        source = f"{view} w join catalogue.study_extractions x using (extraction_id)"
        own = f"where x.study = {study} and x.feature_set = {feature_set}"
        if combination == "none":
            return f"    select w.*\n    from {source}\n    {own}"
        rows = f"""        select w.* exclude (reader, reading, extraction_id), 1.0::double as {WEIGHT}
        from {source}
        {own}"""
        return combined_rows(rows, "patient", "phase")
