"""The kinds of feature sets that there are, and the kind of one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.errors import ContractError, UsageError
from store.kinds.embedding import Embedding
from store.kinds.imported import Imported
from store.kinds.kind import SetKind, WideKind, is_wide
from store.kinds.radiomics import Radiomics
from store.kinds.regions import Regions

__all__ = ["EMBEDDING", "IMPORTED", "RADIOMICS", "REGIONS", "kind_of", "rows_of_kind", "wide_kind", "wide_sets"]

RADIOMICS, IMPORTED, REGIONS, EMBEDDING = Radiomics(), Imported(), Regions(), Embedding()

_KINDS: dict[str, SetKind] = {each.name: each for each in (RADIOMICS, IMPORTED, REGIONS, EMBEDDING)}

Row = Mapping[str, Any]


def kind_of(row: Row) -> SetKind:
    """Return the kind of a feature set.

    Parameters
    ----------
    row : mapping
        The set's row of the table ``feature_sets``.

    Raises
    ------
    ContractError
        When it is of no kind that is known here.
    """
    if (kind := _KINDS.get(row["kind"])) is None:
        raise ContractError(
            f"feature set {row['feature_set']} is of the kind '{row['kind']}', which this version does not know",
            hint="install the release that wrote it",
        )
    return kind


def wide_kind(row: Row) -> WideKind:
    """Return the kind of a feature set that has a column for each feature.

    Parameters
    ----------
    row : mapping
        The set's row of the table ``feature_sets``.

    Raises
    ------
    UsageError
        When the set holds no columns of features.
    """
    kind = kind_of(row)
    if not is_wide(kind):
        raise UsageError(
            f"{row['feature_set']} holds no columns of features: it is of the kind '{kind.name}'",
            hint=f"radzoo sql 'describe {kind.view(row['feature_set'])}'",
        )
    return kind


def wide_sets(rows: Iterable[Row]) -> list[tuple[Row, WideKind]]:
    """Return those feature sets that have a column for each feature, each with its kind."""
    kinds = ((row, _KINDS.get(row["kind"])) for row in rows)
    return [(row, kind) for row, kind in kinds if kind is not None and is_wide(kind)]


def rows_of_kind(rows: Iterable[Row], kind: SetKind) -> list[Row]:
    """Return the feature sets of one kind."""
    return [row for row in rows if row["kind"] == kind.name]
