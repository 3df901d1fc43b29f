"""Errors: the tree that the docstring draws, exit codes, text and JSON."""

from __future__ import annotations

import json
import re

import pytest

from schemas import errors
from schemas.errors import RadzooError

# The table of exit codes that docs and scripts rely on.
EXIT_CODES = {
    "RadzooError": 1,
    "UsageError": 2,
    "NotFoundError": 3,
    "ContractError": 4,
    "UnfinishedError": 5,
    "StoreBusyError": 6,
    "LostConnectionError": 1,
}


def test_all_names_are_pinned():
    """What may be imported from the module is this list and nothing else."""
    assert errors.__all__ == sorted(EXIT_CODES)


def test_exit_codes():
    """Each class carries its own process exit code, 1 to 6."""
    assert {name: getattr(errors, name).exit_code for name in errors.__all__} == EXIT_CODES


def test_docstring_draws_the_tree():
    """The tree of the docstring names every class under the root, with its exit code."""
    drawn = re.findall(r"[├└]── (\w+)\s+(\d)", errors.__doc__)
    assert [(cls.__name__, str(cls.exit_code)) for cls in RadzooError.__subclasses__()] == drawn
    assert errors.__doc__.splitlines()[2] == "RadzooError"


@pytest.mark.parametrize("name", EXIT_CODES)
def test_text_says_where_what_and_next(name):
    """The text names the place, then what happened, then the next command on a line of its own."""
    error = getattr(errors, name)("the mask is empty", where="a.nii:3", hint="radzoo doctor")
    assert str(error) == "a.nii:3: the mask is empty\nnext: radzoo doctor"


def test_text_without_place_or_hint():
    """Without place and hint the text is the sentence alone."""
    assert str(RadzooError("no")) == "no"
    assert str(RadzooError("no", hint="yes")) == "no\nnext: yes"
    assert str(RadzooError("no", where="here")) == "here: no"


@pytest.mark.parametrize("name", EXIT_CODES)
def test_mapping_goes_through_json(name):
    """The mapping has all five entries and survives JSON."""
    found = getattr(errors, name)("é", where=None, hint="h").as_dict()
    assert json.loads(json.dumps(found)) == {
        "error": name,
        "message": "é",
        "where": None,
        "hint": "h",
        "exit_code": EXIT_CODES[name],
    }
