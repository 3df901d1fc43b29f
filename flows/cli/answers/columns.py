"""What an ingest says of a feature table's columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flows.study.imported.column_review import ColumnReview

__all__ = ["column_lines"]

_SHOWN = 12
_SHOWN_IN_FULL = 60
_UNASKED = ("as text", "as a column of no phase")
"""Reasons that nobody asks such a column back for."""


def column_lines(feature_set: str, review: ColumnReview, *, in_full: bool) -> Iterator[str]:
    """Yield a line for the columns left out for each reason, and one for each column to be looked at.

    Parameters
    ----------
    feature_set : str
        The feature set.
    review : ColumnReview
        What became of the table's columns.
    in_full : bool
        List the columns that are kept and those that the study file excludes, too.
    """
    shown = _SHOWN_IN_FULL if in_full else _SHOWN
    if in_full:
        yield f"{feature_set}: {len(review.kept)} columns are features: {_listed(review.kept, shown)}"
        if review.excluded:
            yield f"{feature_set}: excluded by the study file: {_listed(review.excluded, shown)}"
    for reason in dict.fromkeys(note.reason for note in review.left_out):
        columns = [note.column for note in review.left_out if note.reason == reason]
        yield f"{feature_set}: left out {reason}: {_listed(columns, shown)}"
    if any(note.reason not in _UNASKED for note in review.left_out):
        name = feature_set.partition("@")[0]
        yield f"{feature_set}: a column left out is taken where [imported.{name}] has columns = {{ include = [...] }}"
    for note in review.warned[:shown]:
        yield f"warning: {feature_set}: column '{note.column}' {note.reason}; exclude it unless it is a feature"
    if len(review.warned) > shown:
        yield f"warning: {feature_set}: {len(review.warned) - shown} more columns like these; --json lists them"


def _listed(columns: Sequence[str], shown: int) -> str:
    more = f" and {len(columns) - shown} more" if len(columns) > shown else ""
    return ", ".join(columns[:shown]) + more
