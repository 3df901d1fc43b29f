"""Three-valued logic: what is known decides as soon as it can, and nothing else does."""

from __future__ import annotations

from itertools import product

import pytest

from zoo.staging.logic import Rule, Truth, at_most, every, exceeds, first_that_holds, is_level, negation, some
from zoo.staging.results import Stage

TRUTHS: tuple[Truth, ...] = (True, False, None)


def completions(truths: tuple[Truth, ...]) -> list[tuple[bool, ...]]:
    """Return all ways to settle what is unknown."""
    return list(product(*((truth,) if truth is not None else (True, False) for truth in truths)))


@pytest.mark.parametrize("truths", list(product(TRUTHS, repeat=3)))
def test_all_and_any_over_completions(truths: tuple[Truth, ...]) -> None:
    """Both connectives are known exactly where all ways to settle the unknown agree."""
    for connective, of_known in ((every, all), (some, any)):
        answers = {of_known(known) for known in completions(truths)}
        assert connective(*truths) is (answers.pop() if len(answers) == 1 else None)


def test_comparisons() -> None:
    """A limit is included, and a missing value is neither below nor above it."""
    assert [at_most(value, 20.0) for value in (19.9, 20.0, 20.1, None)] == [True, True, False, None]
    assert [exceeds(value, 20.0) for value in (19.9, 20.0, 20.1, None)] == [False, False, True, None]
    assert [is_level(level, "C") for level in ("C", "A", None)] == [True, False, None]
    assert [negation(truth) for truth in TRUTHS] == [False, True, None]


def test_precedence() -> None:
    """The first rule that holds decides; one that is unknown ends the search with what it lacks."""
    stages, values = ("mild", "bad"), {"a": None, "b": 1.0}

    assert first_that_holds([Rule("bad", False), Rule("mild", True)], stages, values) == Stage("mild", 0, None)
    assert first_that_holds([Rule("bad", True), Rule("mild", None, ("a",))], stages, values) == Stage("bad", 1, None)
    undecided = first_that_holds([Rule("bad", None, ("a", "b")), Rule("mild", True)], stages, values)
    assert undecided == Stage(None, None, "a is missing")
    with pytest.raises(ValueError, match="last rule"):
        first_that_holds([Rule("bad", False)], stages, values)
