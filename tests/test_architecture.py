"""The tree in docs/architecture.md names every module of the packages."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TREE = (ROOT / "docs" / "architecture.md").read_text().partition("## The tree")[2].partition("\n## ")[0]


@pytest.mark.parametrize("package", ["schemas", "store", "zoo", "flows"])
def test_the_tree_names_every_module_and_no_other(package: str) -> None:
    """Modules stand in their package's part by name or pattern, subpackages by folder; none that is gone does."""
    part = re.search(rf"^{package}/.*?(?=^\S)", TREE, flags=re.MULTILINE | re.DOTALL)
    assert part is not None
    named = re.findall(r"[\w*]+\.py", part[0])
    modules = [file.name for file in (ROOT / package).glob("*.py") if file.name != "__init__.py"]
    assert [name for name in modules if not any(fnmatch(name, pattern) for pattern in named)] == []
    folders = [file.parent.name for file in (ROOT / package).glob("*/__init__.py")]
    assert [name for name in folders if f"  {name}/ " not in part[0]] == []
    # main.py stands in the line on cli/.
    everywhere = [file.name for file in (ROOT / package).rglob("*.py")]
    assert [pattern for pattern in named if not any(fnmatch(name, pattern) for name in everywhere)] == []
