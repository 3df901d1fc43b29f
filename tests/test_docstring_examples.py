"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("schemas", "store", "zoo", "flows", "radzoo")
    for file in (ROOT / package).rglob("*.py")
    if ">>> " in file.read_text()
)


def test_there_are_examples() -> None:
    """Modules with examples are found, on every floor that has any."""
    assert {name.partition(".")[0] for name in MODULES} >= {"schemas", "zoo"}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    """Every example that the source holds is run, and gives what stands below it."""
    module = import_module(name)
    found = doctest.DocTestFinder(exclude_empty=True).find(module)
    assert module.__file__ is not None
    written = sum(line.lstrip().startswith(">>> ") for line in Path(module.__file__).read_text().splitlines())
    assert sum(len(each.examples) for each in found) == written
    assert doctest.testmod(module).failed == 0
