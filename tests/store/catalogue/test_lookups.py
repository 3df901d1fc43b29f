"""Rows are looked up by many keys at once where they are, not by looking through a table."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from store.catalogue.connection import read_transaction
from store.catalogue.lookups import are_among
from store.catalogue.tables import KEYS, VERSIONED
from store.home import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Make an empty store."""
    return Store(tmp_path_factory.mktemp("lookups") / "store", create=True)


def key(columns: list[object], number: int, shared: int) -> tuple[object, ...]:
    """Return a key of which the first columns are shared by all, the next one by some, the others by none."""
    numbers = [0] * shared + [number % 7] + [number] * len(columns)
    return tuple(f"k{each}" if _is_text(column) else each for column, each in zip(columns, numbers, strict=False))


def _is_text(column: object) -> bool:
    return str(getattr(column, "type", "")) == "TEXT"


@pytest.mark.parametrize("shared", [0, 1, 2])
@pytest.mark.parametrize("name", list(VERSIONED))
def test_sqlite_goes_to_the_keys(store: Store, name: str, shared: int) -> None:
    """Whatever the keys share, SQLite's plan searches an index by the columns that tell them apart."""
    table = VERSIONED[name]
    columns = [table.c[each] for each in KEYS[name]]
    wanted = list(dict.fromkeys(key(columns, number, shared) for number in range(40)))
    query = select(table.c.row_id).where(*are_among(columns, wanted))
    words = query.compile(store.engine, compile_kwargs={"literal_binds": True})
    with read_transaction(store.engine) as connection:
        plan = [row[-1] for row in connection.execute(text(f"explain query plan {words}")).all()]
    assert not [each for each in plan if each.startswith(f"SCAN {name}")]
    assert any(f"SEARCH {name} USING" in each and f"{columns[0].name}=?" in each for each in plan)


def test_the_conditions_are_those_of_the_keys(store: Store) -> None:
    """What has single values of the keys and is no key is not found."""
    table = VERSIONED["study_patients"]
    with store.engine.begin() as connection:
        for study, patient in (("a", "p1"), ("a", "p2"), ("b", "p1"), ("b", "p2"), ("c", "p1")):
            connection.execute(table.insert().values(study=study, patient=patient, added_commit=1))
        columns = (table.c.study, table.c.patient)
        found = connection.execute(select(*columns).where(*are_among(columns, [("a", "p1"), ("b", "p2")]))).all()
        assert sorted(map(tuple, found)) == [("a", "p1"), ("b", "p2")]
        connection.rollback()
