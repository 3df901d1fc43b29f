"""Opening a store: fresh, again, by several at once, of a newer format, and where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, select

from schemas.errors import ContractError, NotFoundError
from store.catalogue.connection import catalogue_engine, read_transaction, server_engine, write_transaction
from store.catalogue.format_1 import format_1
from store.catalogue.migrations import FORMAT_VERSION, migrate
from store.catalogue.row_sums import stored_sums
from store.catalogue.tables import metadata, store_format
from store.home import Store


def formats(store: Store) -> list[int]:
    """Return the numbers of the steps that a store has been through."""
    with read_transaction(store.engine) as connection:
        return list(connection.execute(select(store_format.c.version)).scalars())


def test_a_fresh_store_has_the_newest_format(store):
    """A new store went through every step and has every table with every column."""
    assert formats(store) == list(range(1, FORMAT_VERSION + 1))
    with read_transaction(store.engine) as connection:
        found = inspect(connection)
        for table in metadata.sorted_tables:
            assert {column["name"] for column in found.get_columns(table.name)} == set(table.columns.keys())


def test_opening_again_changes_nothing(filled):
    """A store opened a second time, to create it or to read it, is the same to the byte."""
    filled.engine.dispose()  # the last connection to close folds the write-ahead log into the file
    before = filled.catalogue_file.read_bytes()
    for create in (True, False):
        again = Store(filled.root, create=create)
        assert formats(again) == list(range(1, FORMAT_VERSION + 1))
        again.engine.dispose()
    assert filled.catalogue_file.read_bytes() == before


def test_migrating_twice_takes_no_step(store):
    """A catalogue of the newest format is left as it is and its version is returned."""
    with write_transaction(store.engine) as connection:
        assert migrate(connection) == FORMAT_VERSION
    assert formats(store) == list(range(1, FORMAT_VERSION + 1))


def test_an_empty_catalogue_is_brought_up(tmp_path):
    """A process killed between making the file and its tables leaves a store that opens."""
    (tmp_path / "catalogue.sqlite").touch()
    assert formats(Store(tmp_path)) == list(range(1, FORMAT_VERSION + 1))


def test_a_store_of_a_newer_format_is_refused(store):
    """What a newer radzoo wrote is neither read nor changed: exit code 4."""
    with write_transaction(store.engine) as connection:
        connection.execute(insert(store_format).values(version=FORMAT_VERSION + 1))
    for create in (True, False):
        with pytest.raises(ContractError, match=f"has format {FORMAT_VERSION + 1}") as caught:
            Store(store.root, create=create)
        assert (caught.value.exit_code, caught.value.hint) == (4, "install a newer radzoo")
    assert formats(store)[-1] == FORMAT_VERSION + 1


def test_where_there_is_no_store(tmp_path):
    """Opening does not create: the folder stays as it was and the error says what makes a store."""
    with pytest.raises(NotFoundError) as caught:
        Store(tmp_path / "none")
    assert (caught.value.exit_code, caught.value.where) == (3, str(tmp_path / "none"))
    assert "radzoo ingest" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_relative_roots_are_made_absolute(tmp_path, monkeypatch):
    """A store named by a relative path does not move with the working directory."""
    monkeypatch.chdir(tmp_path)
    store = Store(Path("here"), create=True)
    assert store.root == tmp_path / "here"
    folders = [part.local_root for part in (store.segments, store.datasets, store.models)]
    for folder in (*folders, store.staging, store.analyst_file):
        assert folder.parent == tmp_path / "here"


OPENING = """
import sys
from pathlib import Path
from store.home import Store
print("ready", flush=True)
sys.stdin.readline()
Store(Path(sys.argv[1]), create=True)
"""


def test_several_processes_create_one_store(tmp_path):
    """Processes that find no store at the same moment make one between them; each step is taken once."""
    command = [sys.executable, "-c", OPENING, str(tmp_path / "store")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert formats(Store(tmp_path / "store")) == list(range(1, FORMAT_VERSION + 1))


@pytest.mark.parametrize("place", ["sqlite-local", "postgresql-local"])
def test_the_steps_leave_the_tables_of_a_new_store(new_address, place, tmp_path_factory):
    """A catalogue of the first release, brought up to date, has the tables, indexes and sums of a new one."""
    old, new = (_engine_of(new_address(place), tmp_path_factory.mktemp("catalogue")) for _ in range(2))
    with write_transaction(old, keeps_sums=False) as connection:
        format_1().create_all(connection)
        connection.execute(insert(store_format).values(version=1))
    for engine in (old, new):
        with write_transaction(engine, keeps_sums=False) as connection:
            migrate(connection)
    assert _described(old) == _described(new)
    for engine in (old, new):
        engine.dispose()


def _engine_of(address, folder):
    return server_engine(address.catalogue) if address.catalogue else catalogue_engine(folder / "catalogue.sqlite")


def _described(engine):
    """Return what a catalogue's tables are made of, and the rows that it begins with."""
    with read_transaction(engine) as connection:
        found = inspect(connection)
        tables = {
            name: (
                {each["name"]: (str(each["type"]), each["nullable"]) for each in found.get_columns(name)},
                found.get_pk_constraint(name),
                sorted(map(str, found.get_unique_constraints(name))),
                sorted(str(each) for each in found.get_indexes(name)),
            )
            for name in found.get_table_names()
        }
        formats_there = connection.execute(select(store_format.c.version)).scalars().all()
        return tables, sorted(formats_there), stored_sums(connection)
