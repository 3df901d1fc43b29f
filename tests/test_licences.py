"""docs/licences.md against what is installed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def listing():
    """Give the script that writes the page."""
    spec = importlib.util.spec_from_file_location("list_licences", DOCS / "list_licences.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_package_that_is_needed_is_listed_with_its_licence(listing):
    """A dependency that comes in by another one is seen when the page is compared."""
    rows = (DOCS / "licences.md").read_text().splitlines()
    listed = dict(
        re.match(r"\| (\S+) \| ([^|]+) \|", row).groups() for row in rows if re.match(r"\| \S+ \| [^|-]", row)
    )
    needed = listing.installed_for("radzoo", "")
    assert {each.name: listing.licence(each) for each in needed.values()}.items() <= listed.items()
    assert all(licence.strip() for licence in listed.values())


def test_no_package_is_under_the_gpl_only(listing):
    """Where the GPL is one of several licences, a remark says which one is used."""
    for name, each in listing.installed_for("radzoo", "").items():
        licence = listing.licence(each)
        assert "GPL" not in licence or ("Artistic" in licence and "Artistic" in listing.REMARKS[name])
