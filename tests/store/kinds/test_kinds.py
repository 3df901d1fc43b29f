"""Kinds of feature sets: each is known by its name, and says where its rows are shown."""

import pytest

from schemas.errors import ContractError, UsageError
from store.kinds.every import EMBEDDING, IMPORTED, RADIOMICS, REGIONS, kind_of, rows_of_kind, wide_kind, wide_sets
from store.kinds.kind import is_wide

KINDS = {"radiomics": RADIOMICS, "imported": IMPORTED, "regions": REGIONS, "embedding": EMBEDDING}
ROWS = [{"feature_set": f"{name}-set@1", "kind": name} for name in KINDS]


@pytest.mark.parametrize("row", ROWS, ids=KINDS)
def test_a_kind_is_known_by_its_name(row):
    """The catalogue's word leads to the kind, and back."""
    kind = kind_of(row)
    assert kind is KINDS[row["kind"]]
    assert kind.name == row["kind"]
    assert rows_of_kind(ROWS, kind) == [row]


def test_columns_of_features_are_the_wide_kinds_alone():
    """Of regions and embeddings there is no column to ask for, and the error says where to look."""
    assert [(row["kind"], kind) for row, kind in wide_sets(ROWS)] == [("radiomics", RADIOMICS), ("imported", IMPORTED)]
    assert is_wide(wide_kind(ROWS[0]))
    for row, view in ((ROWS[2], "regions_set_v1"), (ROWS[3], "embeddings")):
        with pytest.raises(UsageError, match=f"of the kind '{row['kind']}'") as refusal:
            wide_kind(row)
        assert refusal.value.hint == f"radzoo sql 'describe {view}'"


def test_a_kind_of_a_later_release_is_refused():
    """What is not known here is no kind that is: the set is named, and what to install."""
    row = {"feature_set": "new@1", "kind": "volumes"}
    with pytest.raises(ContractError, match="new@1 is of the kind 'volumes'"):
        kind_of(row)
    assert wide_sets([row]) == []
