"""Names and first words of public functions say whether they have an effect."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "store", "zoo", "flows")

OF_VALUES = ("Return", "Yield", "Give")
"""First words of what only computes; `Give` of a context manager or an iterator."""

OF_EFFECTS = {
    *("Add", "Append", "Carry", "Commit", "Compute", "Copy", "Delete", "Discard", "Erase", "Fork", "Merge", "Move"),
    *("Overwrite", "Pin", "Publish", "Put", "Register", "Remove", "Rewrite", "Run", "Save", "Stage", "Start"),
    *("Train", "Write"),
}
"""First words of what changes files, the catalogue, processes or the environment."""

PRIMITIVES = {"write_text", "write_bytes", "unlink", "mkdir", "rmtree", "adopt", "rename", "Popen"}
"""Methods that change files or start processes, whoever calls them."""

REFUSALS = ("refuse_", "check_")

Function = tuple[str, str]
"""Module and name."""


def functions() -> Iterator[tuple[str, ast.Module, ast.FunctionDef, str]]:
    """Give module, tree, node and first word of each function of a module."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(file.read_text())
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            for node in tree.body:
                if isinstance(node, ast.FunctionDef):
                    yield module, tree, node, (ast.get_docstring(node) or "").partition(" ")[0].rstrip(",:;")


def imported_names(tree: ast.Module) -> dict[str, Function]:
    """Return where the names come from that a module imports."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def calls(node: ast.FunctionDef) -> Iterator[ast.expr]:
    """Give what a function calls, by itself and not in functions that it returns."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            yield each.func


def test_a_function_that_says_return_has_no_effect() -> None:
    """Whose docstring starts with Return writes nothing, and calls no function that says it does."""
    words = {(module, node.name): word for module, _, node, word in functions()}
    effects = {name for name, word in words.items() if word in OF_EFFECTS and not name[1].startswith(REFUSALS)}
    assert len(effects) > 100
    found = []
    for module, tree, node, word in functions():
        if word != "Return" or node.name.startswith("_"):
            continue
        origin = imported_names(tree)
        for called in calls(node):
            if isinstance(called, ast.Name) and origin.get(called.id, (module, called.id)) in effects:
                found.append(f"{module}.{node.name} calls {called.id}")
            elif isinstance(called, ast.Attribute) and called.attr in PRIMITIVES:
                found.append(f"{module}.{node.name} calls .{called.attr}")
    assert found == []


def test_a_participle_names_a_state_of_something() -> None:
    """A name that begins with a participle has a noun behind it, and computes: what has an effect is imperative."""
    found = [
        f"{module}.{node.name}: {word}"
        for module, _, node, word in functions()
        if not node.name.startswith("_") and re.search(r"(?<!mb)ed$", node.name.split("_")[0]) and word in OF_EFFECTS
    ]
    assert found == []
