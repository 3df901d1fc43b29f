"""Tests of how pieces of work share Prefect's tasks."""

from flows.engine.tasks import run_tasks, shared_tasks


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
