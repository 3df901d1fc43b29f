"""What a question names is read for it, and nothing else: views by their needs, rows by their tables, no other file."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pyarrow as pa
import pytest

from schemas.errors import ContractError, NotFoundError
from schemas.settings import SqlLimits
from store.analyst.kept import kept_rows
from store.analyst.named import Named, names_in
from store.analyst.query import READ_BY_MANY, answer, shut_connection, snapshot_connection
from store.catalogue.columns import arrow_columns
from store.catalogue.tables import UNVERSIONED, VERSIONED
from store.history.snapshot import Snapshot


@pytest.mark.parametrize(
    ("query", "views", "tables"),
    [
        ("select 1", set(), set()),
        ("from Masks", {"masks"}, set()),
        ('from "masks" m join labels using (patient)', {"masks", "labels"}, set()),
        ("select 'masks', masks.patient from labels as masks", {"labels"}, set()),
        ("with a as (from exams) from a", {"a", "exams"}, set()),
        ("from catalogue.masks, memory.main.labels", {"labels"}, {"masks"}),
        ("select exists(from masks), (select count(*) from labels)", {"masks", "labels"}, set()),
        ("describe masks", {"masks"}, set()),
        ("show masks", {"masks"}, set()),
        ("summarize (from masks)", {"masks"}, set()),
        ("explain analyze select count(*) from masks", {"masks"}, set()),
        ("from histogram(masks, volume_mm3)", {"masks"}, set()),
        ("pivot masks on phase in ('AP') using count(*)", {"masks"}, set()),
        ("from masks union all by name (from exams order by 1 limit 1)", {"masks", "exams"}, set()),
    ],
)
def test_names_are_those_of_tables(query, views, tables):
    """Names come from wherever in a statement a table may stand, and not from columns, texts and aliases."""
    named = names_in(query)
    assert (named.views, named.tables) == (views, tables)
    assert not named.lists_names
    assert not named.lists_columns


@pytest.mark.parametrize(
    "query",
    [
        "show all tables",
        "describe",
        "from duckdb_columns()",
        "from duckdb_views",
        "from information_schema.columns",
        "select * from pg_catalog.pg_class",
        "from pragma_table_info('ma' || 'sks')",
        "from pragma_show('masks')",
        "pivot (from duckdb_columns()) on column_name",
        "from histogram('masks', volume_mm3)",
    ],
)
def test_what_shows_columns_of_all_views_needs_all(query):
    """Where DuckDB itself is asked what there is, everything is laid out."""
    assert names_in(query).lists_columns


def test_each_view_alone_answers_as_among_all(shared_store, tmp_path):
    """The needs of a view are complete: laid out with them alone it has the same types and rows."""
    snapshot = Snapshot(shared_store)
    with snapshot_connection(snapshot) as every:
        views = [name for (name,) in every.sql("select view_name from duckdb_views() where not internal").fetchall()]
        assert len(views) > 40
        for view in views:
            asked = f'from "{view}" order by all'
            with shut_connection(kept_rows(snapshot, names_in(asked)), SqlLimits(), tmp_path) as alone:
                assert alone.sql(asked).types == every.sql(asked).types, view
                assert alone.sql(asked).fetchall() == every.sql(asked).fetchall(), view


def test_what_is_computed_once_answers_as_the_view(shared_store):
    """A page's questions read a table in the view's place: the same types and rows in all that reads it."""
    snapshot = Snapshot(shared_store)
    with snapshot_connection(snapshot) as views, snapshot_connection(snapshot, computed=READ_BY_MANY) as computed:
        for view in ("changed_inputs", "models", "leaderboard", "performance"):
            asked = f'from "{view}"'
            assert computed.sql(asked).types == views.sql(asked).types
            assert computed.sql(asked).fetchall() == views.sql(asked).fetchall()
        assert views.sql("from changed_inputs").fetchall()


def test_only_what_is_named_is_read(shared_store):
    """A question gets the tables and segments of its views, and no row of another."""
    snapshot = Snapshot(shared_store)
    kept = kept_rows(snapshot, names_in("from labels"))
    assert (set(kept.tables), [view.name for view in kept.views], kept.segments) == (
        {"labels", "outcomes"},
        ["labels"],
        [],
    )
    primary = kept_rows(snapshot, names_in("from two_features_primary"))
    assert set(primary.tables) == {"masks", "extractions", "study_masks"}
    assert [each.feature_set for each in primary.segments] == ["two-features@1"]
    nothing = kept_rows(snapshot, names_in("select 1"))
    assert (nothing.tables, nothing.columns, nothing.views, nothing.segments) == ({}, {}, [], [])


def test_names_are_known_where_they_are_listed_or_meant(shared_store):
    """`show tables` lists all views without reading any, and an unknown name is answered with the nearest of all."""
    snapshot = Snapshot(shared_store)
    with snapshot_connection(snapshot) as every:
        views = every.sql("select view_name from duckdb_views() where not internal order by 1").fetchall()
    assert [tuple(row.values()) for row in answer(snapshot, "from (show tables) order by 1").to_pylist()] == views
    assert kept_rows(snapshot, names_in("show tables")).tables == {}
    with pytest.raises(NotFoundError) as unknown:
        answer(snapshot, "from leaderbord")
    assert "leaderboard" in unknown.value.hint


def test_a_name_that_was_not_seen_gives_no_rows(shared_store, tmp_path):
    """Were a name ever overlooked, reading it would be an error and no empty answer."""
    snapshot = Snapshot(shared_store)
    kept = kept_rows(snapshot, Named(lists_names=True))
    with (
        shut_connection(kept, SqlLimits(), tmp_path) as connection,
        pytest.raises(Exception, match="was not seen to name"),
    ):
        connection.sql("select count(*) from (from masks)").fetchall()


def ask_altered(store, statement, question):
    """Return the answer to a question after somebody has altered the catalogue by hand."""
    store.engine.dispose()
    with closing(sqlite3.connect(store.catalogue_file)) as connection:
        assert connection.execute(statement).rowcount
        connection.commit()
    return answer(Snapshot(store), question).num_rows


def test_rows_of_another_table_may_be_altered(filled):
    """A question is answered where a table is altered that it does not name, and refused where it names it."""
    altered = "update labels set label = 1 - label"
    assert ask_altered(filled, altered, "from masks") == 6
    for question in ("from labels", "select count(*) from labels", "from catalogue.labels", "from cohort"):
        with pytest.raises(ContractError, match="'labels' are not those that were committed"):
            answer(Snapshot(filled), question)


def test_a_commit_that_is_gone_is_no_former_state(filled):
    """Commits decide which rows are live: where they are altered, nothing is served as of an older one."""
    with pytest.raises(ContractError, match="'commits' are not those that were committed"):
        ask_altered(filled, "delete from commits where commit_id > 1", "from masks")
    assert answer(Snapshot(filled), "select 1").num_rows == 1


def test_columns_are_as_arrow_makes_them():
    """Numbers, texts and what is missing become the arrays that Arrow makes of them, value by value."""
    kinds = {"a": pa.int64(), "b": pa.float64(), "c": pa.string()}
    rows = [(1, 0.5, "x"), (None, None, None), (-(2**63), float("inf"), ""), (2**63 - 1, 3, "ü\0\U0001f600")]
    for some in (rows, rows[:1], rows[1:2], [], rows * 9):
        made = arrow_columns(kinds, some)
        made.validate(full=True)
        values = list(zip(*some, strict=True)) or [()] * 3
        assert made.equals(
            pa.table([pa.array(v, k) for v, k in zip(values, kinds.values(), strict=True)], names=[*kinds])
        )


@pytest.mark.parametrize("row", [("1", 0.5, "x"), (1.0, 0.5, "x"), (1, "0.5", "x"), (2**63, 0.5, "x")])
def test_a_value_of_another_type_makes_no_column(row):
    """Nothing is turned into a number that is none."""
    with pytest.raises((TypeError, OverflowError)):
        arrow_columns({"a": pa.int64(), "b": pa.float64(), "c": pa.string()}, [row])


def test_every_table_is_one_that_a_question_may_name(shared_store):
    """Each table of the catalogue can be asked by its own name."""
    snapshot = Snapshot(shared_store)
    for table in (*VERSIONED, *UNVERSIONED, "commit_changes"):
        assert answer(snapshot, f"from catalogue.{table}").num_columns > 1
