"""Where the store lies: the option, then the environment, then nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.settings import STORE_VARIABLE, store_path


@pytest.mark.parametrize(
    ("option", "environment", "found"),
    [
        ("a", {STORE_VARIABLE: "b"}, Path("a")),
        (None, {STORE_VARIABLE: "b"}, Path("b")),
        ("", {STORE_VARIABLE: "b"}, Path("b")),
        (None, {STORE_VARIABLE: ""}, None),
        (None, {}, None),
    ],
)
def test_the_option_comes_before_the_environment(option, environment, found):
    """--store wins over RADZOO_STORE; an empty value is none."""
    assert store_path(option, environment) == found


def test_the_variable_is_called_radzoo_store():
    """Scripts set this name."""
    assert STORE_VARIABLE == "RADZOO_STORE"
