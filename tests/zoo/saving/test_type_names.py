"""The names of the zoo's own types in saved models: they stay, wherever the classes move."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from archives.unpacking import ARCHIVES, unpack

from zoo.saving.archive import canonical_archive
from zoo.saving.persist import load_model
from zoo.saving.type_names import OWN_TYPES, rename_as_imported, rename_as_saved


@pytest.mark.parametrize("place", OWN_TYPES.values())
def test_every_type_lies_where_the_map_says_and_nowhere_else(place: str) -> None:
    """A class that is moved is found by the map, and none says that it lies elsewhere."""
    module, _, name = place.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    assert f"{found.__module__}.{found.__qualname__}" == place


def test_renaming_there_and_back_changes_nothing() -> None:
    """A node's names are changed, and nothing that only looks like them."""
    saved, imported = "zoo.clinical.EliminationStep", OWN_TYPES["zoo.clinical.EliminationStep"]
    node = {"__loader__": "ObjectNode", "__module__": "zoo.clinical", "__class__": "EliminationStep"}
    schema = {"content": [node, {"text": saved, "__class__": "EliminationStep"}]}
    rename_as_imported(schema)
    assert f"{node['__module__']}.{node['__class__']}" == imported
    assert schema["content"][1] == {"text": saved, "__class__": "EliminationStep"}
    rename_as_saved(schema)
    assert f"{node['__module__']}.{node['__class__']}" == saved


def test_a_model_of_an_earlier_release_has_the_same_bytes_when_it_is_saved_again(tmp_path: Path) -> None:
    """So that one that was lost can be made again from its dataset and recognised by its hash."""
    import skops.io

    unpack(ARCHIVES["format_3"], tmp_path)
    folders = sorted(file.parent for file in tmp_path.rglob("estimator.skops"))
    assert len(folders) == 7
    for folder in folders:
        archived, weights = canonical_archive(skops.io.dumps(load_model(folder).estimator))
        assert archived == (folder / "estimator.skops").read_bytes(), folder.parent.name
        assert not weights
