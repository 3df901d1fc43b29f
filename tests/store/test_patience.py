"""What can pass is tried again with growing pauses, for a bounded time, and said; nothing else is."""

from __future__ import annotations

import logging
import time

import pytest

from schemas.errors import ContractError
from store import patience
from store.patience import tell_waits, tried_again


@pytest.fixture
def told():
    """Return what is said of waits."""
    lines: list[str] = []
    tell_waits(lines.append)
    yield lines
    tell_waits(logging.getLogger("radzoo").warning)


@pytest.fixture
def pauses(monkeypatch):
    """Return how long each pause would take; none takes any time."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


def failing(times: int, error: Exception):
    """Return a call that fails so often."""
    left = iter(range(times))

    def call() -> str:
        if next(left, None) is not None:
            raise error
        return "done"

    return call


def of_connection(error: Exception) -> str | None:
    """Return what can pass."""
    return "nobody listens" if isinstance(error, ConnectionRefusedError) else None


def test_what_passes_is_waited_for_with_growing_pauses_and_said_twice(told, pauses):
    """One line says that it waits and how long at most, one that it is over; pauses double up to a bound."""
    assert tried_again(failing(9, ConnectionRefusedError()), of_connection, what="the server") == "done"
    assert told == ["the server does not answer (nobody listens): trying again for 60 s", "the server answers again"]
    assert len(pauses) == 9
    for number, pause in enumerate(pauses):
        expected = min(0.25 * 2**number, 8.0)
        assert 0.75 * expected <= pause <= 1.25 * expected


@pytest.mark.parametrize("error", [ContractError("a column is missing"), ValueError("a slip"), FileNotFoundError()])
def test_what_does_not_pass_is_raised_at_once(error, told, pauses):
    """A contract error is the same the second time."""
    with pytest.raises(type(error)):
        tried_again(failing(1, error), of_connection, what="the server")
    assert (told, pauses) == ([], [])


def test_the_time_is_bounded_by_the_setting(told, monkeypatch):
    """After as many seconds the last error is raised."""
    monkeypatch.setenv("RADZOO_SERVER_SECONDS", "1")
    began = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        tried_again(failing(99, ConnectionRefusedError()), of_connection, what="the server")
    assert time.monotonic() - began >= 1
    assert told == ["the server does not answer (nobody listens): trying again for 1 s"]


def test_a_program_that_uses_the_store_hears_of_waits_by_its_logger(pauses, caplog):
    """Where nobody asked for lines, they are warnings of the logger ``radzoo``."""
    assert patience.tried_again(failing(1, ConnectionRefusedError()), of_connection, what="the server") == "done"
    assert [record.name for record in caplog.records] == ["radzoo", "radzoo"]
