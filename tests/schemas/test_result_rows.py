"""Rows of the leaderboard, comparisons and predictions against the catalogue's tables."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.results import ComparisonRow, LeaderboardRow, PredictionRow, SubgroupRow
from store.catalogue.tables import VERSIONED


@pytest.mark.parametrize(
    ("row", "table", "added"),
    [
        (LeaderboardRow, "leaderboard", {"version"}),
        (PredictionRow, "predictions", {"version"}),
        (ComparisonRow, "comparisons", set()),
        (SubgroupRow, "subgroups", set()),
    ],
)
def test_every_field_is_a_column(row, table, added):
    """A row's fields are the table's columns, but for the model's version and the commits: none is lost in storing."""
    columns = set(VERSIONED[table].columns.keys()) - {"row_id", "added_commit", "removed_commit"}
    assert set(row.model_fields) == columns - added


@pytest.mark.parametrize("change", [{"suite": "quick"}, {"cohort": "test"}, {"extra": 1}, {"label": None}])
def test_unknown_words_and_missing_values_are_refused(change):
    """Suites and cohorts are a fixed set, and an unlabelled patient has no prediction row."""
    known = {
        "study": "s",
        "suite": "holdout",
        "model": "cr",
        "patient": "p",
        "cohort": "training",
        "threshold": 0.5,
        "probability": 0.5,
        "label": 1,
    }
    assert (PredictionRow(**known).fold, PredictionRow(**known).repeat) == (0, 0)
    with pytest.raises(ValidationError):
        PredictionRow(**(known | change))
