"""The tree in docs/architecture.md, the contracts in pyproject.toml and the rooms on disk are one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TREE = (ROOT / "docs" / "architecture.md").read_text().partition("## The tree")[2].partition("\n## ")[0]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
PACKAGES = ("schemas", "store", "zoo", "flows")
MOST_MODULES = 16


def floors(package: str) -> dict[str, int]:
    """Return the floor of each room and module of a package, the highest first."""
    (layers,) = [each["layers"] for each in CONTRACTS if each.get("containers") == [package]]
    return {name: floor for floor, layer in enumerate(layers) for name in layer.split(" | ")}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tree_names_every_room_and_no_other_by_its_floor(package: str) -> None:
    """Rooms and modules on a package's own floor stand in its part, from the highest floor down."""
    part = re.search(rf"^{package}/.*?(?=^\S)", TREE, flags=re.MULTILINE | re.DOTALL)
    assert part is not None
    lines = re.findall(r"^  ((?:\w+/|\w+\.py)(?:, \w+\.py)*)(?: |$)", part[0], flags=re.MULTILINE)
    named = [name.removesuffix("/").removesuffix(".py") for line in lines for name in line.split(", ")]
    floor = floors(package)
    assert sorted(named) == sorted(floor)
    assert [floor[name] for name in named] == sorted(floor.values())


def test_no_folder_is_a_flat_shelf() -> None:
    """A newcomer can tell from the tree where a change belongs."""
    sizes = {
        folder: len([file for file in folder.glob("*.py") if file.name != "__init__.py"])
        for package in (*PACKAGES, "tests")
        for folder in (ROOT / package, *(ROOT / package).rglob("*"))
        if folder.is_dir()
    }
    assert {str(folder): size for folder, size in sizes.items() if size > MOST_MODULES} == {}


def test_a_path_in_the_documents_is_there() -> None:
    """What the documents point to has not moved."""
    paths = {
        (page.name, path)
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for path in re.findall(r"`((?:schemas|store|zoo|flows|tests|docs)/[\w/.-]+\.\w+)`", page.read_text())
    }
    assert len(paths) >= 50
    assert sorted(each for each in paths if not (ROOT / each[1]).exists()) == []
