"""Faults that are gathered: one as it is, several listed, many counted."""

import json

import pytest

from schemas.errors import ContractError
from schemas.fault_list import LISTED_FAULTS, FaultList


def raised(faults):
    """Return the error that gathered faults are raised as."""
    with pytest.raises(ContractError) as caught:
        faults.raise_any("study.toml")
    return caught.value


def fault(number, hint="correct it; nothing was written"):
    """Return a fault with a line of its own."""
    return ContractError(f"fault {number}", where=f"t.csv:{number}", hint=hint)


def test_nothing_gathered_raises_nothing():
    """Without a fault there is no error."""
    FaultList().raise_any("study.toml")


def test_one_fault_is_raised_as_it_is():
    """A single fault keeps its place and hint."""
    faults = FaultList()
    faults.add(fault(1))
    assert (raised(faults).where, raised(faults).message) == ("t.csv:1", "fault 1")


def test_several_faults_are_lines_of_one_error():
    """Each has a line with its place; JSON lists each with its own hint."""
    faults = FaultList()
    for number in (1, 2):
        with faults.gathered():
            raise fault(number)
    error = raised(faults)
    assert str(error).splitlines() == [
        "study.toml: 2 faults",
        "  t.csv:1: fault 1",
        "  t.csv:2: fault 2",
        "next: correct it; nothing was written",
    ]
    assert [each["where"] for each in json.loads(json.dumps(error.as_dict()))["faults"]] == ["t.csv:1", "t.csv:2"]


def test_faults_of_one_kind_are_counted_after_the_third():
    """One bad column of a thousand rows takes three lines, and hides no other fault."""
    faults = FaultList()
    for number in range(1000):
        faults.add(fault(number), "column a")
    faults.add(fault(2000), "column b")
    error = raised(faults)
    assert error.message.splitlines() == [
        "1001 faults",
        "  t.csv:0: fault 0",
        "  t.csv:1: fault 1",
        "  t.csv:2: fault 2 (997 more such cells)",
        "  t.csv:2000: fault 2000",
    ]


def test_a_message_lists_twenty_faults():
    """What is beyond is counted in the text and listed in JSON."""
    faults = FaultList()
    for number in range(LISTED_FAULTS + 5):
        faults.add(fault(number, hint=f"hint {number}"))
    error = raised(faults)
    assert error.message.splitlines()[-1] == "  and 5 more"
    assert len(error.message.splitlines()) == LISTED_FAULTS + 2
    assert len(error.as_dict()["faults"]) == LISTED_FAULTS + 5
    assert error.hint == "correct each of them and run the command again; nothing was written"


def test_other_errors_pass():
    """Only contract errors are gathered."""
    faults = FaultList()
    with pytest.raises(KeyError), faults.gathered():
        raise KeyError("x")
