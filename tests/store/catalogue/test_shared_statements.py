"""Statements on SQLite catalogues: compiled once a process, asked of each store by itself."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import CacheStats

from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store


@pytest.mark.parametrize("only_reads", [False, True])
def test_a_second_store_answers_by_statements_that_the_first_had_compiled(tmp_path, only_reads):
    """What one store was asked is not compiled again for another, and each has the rows of its own."""
    seen: dict[str, list[CacheStats]] = {"first": [], "second": []}

    def note(name, _connection, _cursor, _statement, _parameters, context, _many):
        if context.compiled is not None:
            seen[name].append(context.cache_hit)

    for name in seen:
        with commit_to(Store(tmp_path / name, create=True), "its own") as commit:
            commit.put("patients", [{"patient": name}])
    for name in seen:
        store = Store(tmp_path / name, only_reads=only_reads)
        event.listen(store.engine, "before_cursor_execute", partial(note, name))
        assert [row["patient"] for row in Snapshot(store).rows("patients")] == [name]
        store.close()
    assert seen["second"]
    assert set(seen["second"]) == {CacheStats.CACHE_HIT}
