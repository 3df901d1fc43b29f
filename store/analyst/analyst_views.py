"""The views of a snapshot, each with its SQL and what its columns mean, and the tables that they read."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyarrow as pa

from schemas.plain_keys import sql_name
from store.analyst.cohort_views import cohort_view_names, cohort_views
from store.analyst.view_parts import (
    SegmentRows,
    View,
    fixed_view,
    fixed_view_names,
    fixed_views,
    segment_rows,
)
from store.analyst.wide_views import embeddings_view, long_views, wide_view_names, wide_views
from store.catalogue.tables import UNVERSIONED, VERSIONED
from store.history.commit_changes import NO_CHANGES, commit_changes
from store.history.installed_libraries import NO_LIBRARIES, installed_libraries
from store.history.snapshot import Snapshot, empty_table
from store.kinds.every import EMBEDDING, REGIONS, rows_of_kind, wide_sets

__all__ = [
    "EVERY_TABLE",
    "KEPT_TABLES",
    "analyst_views",
    "chosen_view_names",
    "table_rows",
    "table_without_rows",
    "tables_of",
    "view_names",
    "views_of_one_state",
]

KEPT_TABLES = (*VERSIONED, *UNVERSIONED)
"""The catalogue's tables that are copied for views."""

COMMIT_CHANGES = "commit_changes"
"""The table of what `store.history.commit_changes` counts."""

INSTALLED_LIBRARIES = "installed_libraries"
"""The table of what `store.history.installed_libraries` finds."""

EVERY_TABLE = (*KEPT_TABLES, COMMIT_CHANGES, INSTALLED_LIBRARIES)
"""The tables of the schema ``catalogue``."""


_TABLE = re.compile(r"\bcatalogue\.(\w+)")


@contextmanager
def views_of_one_state(snapshot: Snapshot, names: Set[str] | None = None) -> Iterator[tuple[Snapshot, list[View]]]:
    """Give the snapshot held in one state, and its views as `analyst_views` does; an altered catalogue is refused."""
    # A compaction between two reads would leave rows in segments that the views do not name.
    with snapshot.one_state() as unchanging:
        unchanging.refuse_altered(KEPT_TABLES)
        yield unchanging, analyst_views(unchanging, partial(segment_rows, unchanging), names)


def table_rows(snapshot: Snapshot, name: str) -> pa.Table:
    """Return the rows of a table of the schema ``catalogue``."""
    if name == COMMIT_CHANGES:
        return commit_changes(snapshot)
    return installed_libraries(snapshot) if name == INSTALLED_LIBRARIES else snapshot.arrow(name)


def table_without_rows(name: str) -> pa.Table:
    """Return what `table_rows` gives of a store without rows."""
    if name == COMMIT_CHANGES:
        return NO_CHANGES
    return NO_LIBRARIES if name == INSTALLED_LIBRARIES else empty_table(name)


def analyst_views(snapshot: Snapshot, rows_of: SegmentRows, names: Set[str] | None = None) -> list[View]:
    """Return the views of a snapshot, each behind those that it reads.

    Parameters
    ----------
    snapshot : Snapshot
        The store, held in one state.
    rows_of : callable
        What has the rows of a set's segments.
    names : set of str, optional
        Only the views of these names, in small letters, and those that they read; all where None. Of the catalogue
        nothing is read that these do not need.
    """
    fixed = fixed_view_names()
    if names is None:
        return _every_view(snapshot, rows_of)
    if names <= set(fixed):
        return _closed([fixed_view(name) for name in fixed], names)
    wanted = set(names)
    wanted |= {"radiomics_long"} if "radiomics_primary" in wanted else set()
    return _closed(_every_view(snapshot, rows_of, wanted), wanted)


def tables_of(views: Iterable[View]) -> set[str]:
    """Return the tables of the schema ``catalogue`` that views read."""
    return {name for view in views for name in _TABLE.findall(view.query) if name in EVERY_TABLE}


def view_names(snapshot: Snapshot) -> set[str]:
    """Return the names of all views of a snapshot."""
    return {*fixed_view_names(), *chosen_view_names(snapshot)}


def chosen_view_names(snapshot: Snapshot, studies: Container[str] | None = None) -> set[str]:
    """Return the names of the views that a snapshot's own sets and studies give, without those of every store.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    studies : container of str, optional
        Of studies' own views only those of these; of all studies where None.
    """
    named = _names_of_sets(snapshot.rows("feature_sets"))
    cohorts = cohort_view_names(snapshot, {*fixed_view_names(), *named})
    return named | {name for study, name in cohorts.items() if studies is None or study in studies}


def _every_view(snapshot: Snapshot, rows_of: SegmentRows, names: Set[str] | None = None) -> list[View]:
    """Return all views, or all of a kind that has one of these names."""
    fixed = list(fixed_views())
    sets = snapshot.rows("feature_sets")
    wide, regions, embedded = wide_sets(sets), rows_of_kind(sets, REGIONS), rows_of_kind(sets, EMBEDDING)
    long = {"radiomics_long", "radiomics_primary"}
    of_wide = None if names is None or not long.isdisjoint(names) else names
    views = [*fixed, *wide_views(snapshot, wide, rows_of, of_wide), *long_views(wide)]
    if names is None or "embeddings" in names:
        views.append(embeddings_view(snapshot, [row["feature_set"] for row in embedded], rows_of))
    if names is None or not names.isdisjoint(_names_of_regions(regions)):
        # What it loads takes longer than most questions, which ask for no region.
        from store.analyst.region_views import region_views

        views += region_views(snapshot, regions, rows_of)
    cohort = next(view.columns for view in fixed if view.name == "cohort")
    taken = {view.name for view in fixed} | _names_of_sets(sets)
    return [*views, *cohort_views(snapshot, cohort, taken, names)]


def _names_of_sets(sets: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of the views that follow from the feature sets."""
    wide = {name for names in wide_view_names(wide_sets(sets)) for name in names}
    return wide | _names_of_regions(rows_of_kind(sets, REGIONS)) | {"radiomics_long", "radiomics_primary", "embeddings"}


def _names_of_regions(regions: Sequence[Mapping[str, Any]]) -> set[str]:
    own = {sql_name(row[key]) for row in regions for key in ("feature_set", "name")}
    return own | {"regions", "region_arrays"}


def _closed(views: Sequence[View], names: Set[str]) -> list[View]:
    """Return the views of these names and those that they read, in their order."""
    by_name = {view.name: view for view in views}
    pending, chosen = [name for name in names if name in by_name], set()
    while pending:
        name = pending.pop()
        if name not in chosen:
            chosen.add(name)
            pending += by_name[name].views
    return [view for view in views if view.name in chosen]
