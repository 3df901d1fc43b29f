"""Tests of how pieces of work share Prefect's tasks."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import polars as pl
import pytest

from flows.engine.pieces import Pieces, shared_tasks
from flows.engine.tasks import run_tasks


def test_few_pieces_have_a_task_each() -> None:
    """Up to two hundred pieces have a task of their own, however short; without pieces there is no task."""
    assert shared_tasks([1.0, 50.0, 0.1]) == [range(1), range(1, 2), range(2, 3)]
    assert shared_tasks([]) == []


def test_short_pieces_share_and_long_ones_do_not() -> None:
    """Of very many pieces a long one keeps its task, short ones share, and each piece stands in one task, in order."""
    work = [2000.0, 1000.0, *[1.0] * 3000]
    shares = shared_tasks(work)
    assert shares[:2] == [range(1), range(1, 2)]
    assert [position for share in shares for position in share] == list(range(len(work)))
    assert {len(share) for share in shares[2:-1]} == {30}
    assert max(sum(work[position] for position in share) for share in shares[2:]) <= sum(work) / 200
    assert len(shared_tasks([1.0] * 100_000)) == 200


def test_results_come_in_order_when_tasks_are_shared(prefect_server: str) -> None:
    """Each piece is carried out once and its result stands where its name does."""
    names = [f"piece {number}" for number in range(450)]
    assert run_tasks("try", "shared tasks", names, lambda position: position**2, threads=3) == [
        position**2 for position in range(450)
    ]


@pytest.mark.parametrize("positions", [None, range(1, 12)])
def test_a_piece_that_fails_stops_the_others(positions: range | None) -> None:
    """At once, not where the tasks before have ended: with a full disk the rest would be computed for nothing."""
    has_failed, told = Event(), []

    def carry_out(position: int) -> int:
        if position == 1:
            has_failed.set()
            raise OSError("no space left on device")
        assert has_failed.wait(20)
        time.sleep(0.05)
        return position

    pieces = Pieces(12, carry_out, lambda: told.append("stop"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(pieces.carry_out, None if positions is None else range(1))
        time.sleep(0.05)
        other = pool.submit(pieces.carry_out, positions)
        with pytest.raises(OSError, match="no space left"):
            other.result()
        first.result()
    assert told == ["stop"]
    assert [each for each in pieces.found if each is not None] in ([], [0], [0, 2])


def test_an_interrupt_ends_a_shared_task_after_the_piece_it_is_at(prefect_server: str) -> None:
    """Of a hundred pieces a task, those behind the one that is being carried out are left, with polars in use."""
    done: list[int] = []

    def carry_out(position: int) -> None:
        # After the signal a piece takes long: a busy machine that is slow to hear it carries out few more.
        time.sleep(0.02 if len(done) < 20 else 0.5)
        # It has handlers of its own, from its import on, which let a wait go on.
        assert pl.Series([position]).sum() == position
        done.append(position)
        if position == 10:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_tasks("try", "an interrupt", [str(number) for number in range(20_000)], carry_out, threads=2)
    # Each of two tasks would have carried out some ninety more.
    assert 11 <= len(done) < 100
