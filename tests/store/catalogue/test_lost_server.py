"""A catalogue's server that goes away: waited for between transactions, told within one, of which nothing lands."""

from __future__ import annotations

import gc
import threading
import warnings
from contextlib import closing

import pytest
from attacks.faults.gate import Gate
from attacks.faults.postgresql import Postgresql
from servers import postgresql_binaries

from schemas.errors import LostConnectionError, NotFoundError
from store.address import StoreAddress, write_address
from store.catalogue import connection, lines
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot, newest_commit
from store.home import Store

pytestmark = pytest.mark.skipif(
    postgresql_binaries() is None, reason="PostgreSQL is not installed: apt-get install postgresql"
)


@pytest.fixture(scope="module")
def server():
    """Give a PostgreSQL of this module's own, which is stopped and killed."""
    with Postgresql.running() as running:
        yield running


@pytest.fixture
def gone(server, tmp_path):
    """Give a store with a commit on that server; the server runs when the test is over."""
    write_address(tmp_path / "store", StoreAddress(server.url))
    with closing(Store(tmp_path / "store", create=True)) as store:
        if not newest_commit(store):
            with commit_to(store, "one") as commit:
                commit.put("patients", [{"patient": "p1"}])
        yield store
        if not server.is_running:
            server.start()
    with warnings.catch_warnings():
        # The driver leaves the socket of a connection that fails at its first words to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_between_transactions_is_waited_for(gone, server, mode):
    """Who asks while the server is away, or was away since, gets an answer when it is back."""
    server.stop(mode)
    server.start()
    assert len(Snapshot(gone).rows("patients")) == 1
    server.stop(mode)
    back = threading.Timer(1.0, server.start)
    back.start()
    assert len(Snapshot(gone).rows("patients")) == 1
    back.join()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_commit_whose_server_goes_is_told_and_does_not_land(gone, server, mode):
    """The error says that the connection was lost and what is left of the work; the same commit lands afterwards."""
    before = newest_commit(gone)

    def committed(*, stopped: bool) -> None:
        with commit_to(gone, "two") as commit:
            commit.put("patients", [{"patient": f"p-{mode}"}])
            if stopped:
                server.stop(mode)
            commit.put("patients", [{"patient": f"q-{mode}"}])

    with pytest.raises(LostConnectionError, match="the connection to the catalogue was lost: ") as caught:
        committed(stopped=True)
    assert caught.value.where.startswith("postgresql://postgres@127.0.0.1")
    server.start()
    assert newest_commit(gone) == before
    committed(stopped=False)
    assert newest_commit(gone) == before + 1


def test_a_server_that_stays_away_is_not_found(gone, server, monkeypatch):
    """After the time that the setting gives, the exit code is that of what is not there."""
    monkeypatch.setenv("RADZOO_SERVER_SECONDS", "1")
    server.stop()
    with pytest.raises(NotFoundError, match="the catalogue's server does not answer: "):
        Snapshot(gone)


@pytest.mark.slow
def test_a_server_that_is_there_and_says_nothing_is_given_up(gone, server, monkeypatch, tmp_path):
    """A line on which nothing comes back ends in an error, ten times the setting later."""
    monkeypatch.setenv("RADZOO_SERVER_SECONDS", "1")
    for module in (connection, lines):
        monkeypatch.setattr(module, "CONNECT_S", 0.5)
    with Gate.before(server.port) as gate:
        write_address(tmp_path / "other", StoreAddress(server.url.replace(str(server.port), str(gate.port))))
        with closing(Store(tmp_path / "other", busy_timeout_s=0.5)) as store:
            gate.set("stalled")
            with pytest.raises((LostConnectionError, NotFoundError)):
                newest_commit(store)


def test_a_line_that_was_kept_has_as_long_as_a_new_one_to_answer(gone, server, monkeypatch, tmp_path):
    """Before it is used its server is asked for a word, and a stalled line is not waited for as a statement is."""
    monkeypatch.setattr(lines, "CONNECT_S", 0.3)
    with Gate.before(server.port) as gate:
        write_address(tmp_path / "other", StoreAddress(server.url.replace(str(server.port), str(gate.port))))
        with closing(Store(tmp_path / "other")) as store, closing(store.engine.raw_connection()) as kept:
            line = kept.driver_connection
            as_long = line._usock.gettimeout()
            assert as_long > 60
            assert lines.answers(line)
            gate.set("stalled")
            assert not lines.answers(line)
            assert line._usock.gettimeout() == as_long
            gate.set("open")
