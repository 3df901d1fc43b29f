"""Imported tables: a row is a table's, with a key of its own; nobody need have drawn a mask."""

from __future__ import annotations

from schemas.plain_keys import NO_READER, Combination, sql_name
from store.kinds.combined import WEIGHT, combined_rows

__all__ = ["Imported"]


def _of_no_reader(row: str) -> str:
    return f"{row}.reader in ('', '{NO_READER}')"


def _of_first_reading(row: str, study: str) -> str:
    """Return the condition that a row is of the first reading that a study's definition lists."""
    first = [f"({study}.definition::json ->> '$.readings[0].{key}')" for key in ("reader", "reading")]
    return f"({row}.reader, {row}.reading::varchar) = ({', '.join(first)})"


class Imported:
    """Rows of a table from elsewhere: those of the first reading, where there are several, models read."""

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
        """Return whether a study's models read a row: where it is of that study's first reading, or of none."""
        return (
            f"""({_of_no_reader(view)} or exists (
        from catalogue.study_extractions x join catalogue.studies d using (study)
        where x.extraction_id = {view}.extraction_id and {_of_first_reading(view, "d")}))""",
            "",
        )

    def primary_rows(self, view: str, study: str, feature_set: str, combination: Combination = "none") -> str:
        """Return the rows that the study's own table gave; of its lesions no volume is known, and all weigh alike."""
        source = f"""{view} w join catalogue.study_extractions x using (extraction_id)
    join catalogue.studies d using (study)"""
        chosen = f"({_of_no_reader('w')} or {_of_first_reading('w', 'd')})"
        own = f"where study = {study} and x.feature_set = {feature_set} and {chosen}"
        if combination == "none":
            return f"    select w.*\n    from {source}\n    {own}"
        rows = f"""        select w.* exclude (reader, reading, extraction_id), 1.0::double as {WEIGHT}
        from {source}
        {own}"""
        return combined_rows(rows, "patient", "phase")
