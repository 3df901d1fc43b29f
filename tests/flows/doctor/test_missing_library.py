"""A library that is not installed is a line with the next step, before anything is computed."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError

import pytest
from builders.command_line import radzoo_run

from flows.missing_library import missing_library
from schemas.errors import NotFoundError

WITHOUT_TORCH = """
import importlib.metadata
import sys

class _Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name=name)

sys.meta_path.insert(0, _Missing)
found = importlib.metadata.version
def version(name):
    if name == "torch":
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)
importlib.metadata.version = version
"""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            "PyTorch is not installed, and networks need it",
        ),
        (ModuleNotFoundError("No module named 'monai.nets'", name="monai.nets"), "MONAI is not installed"),
        (PackageNotFoundError("torch"), "PyTorch is not installed, and networks need it"),
        (ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow"), "the library 'pyarrow' is not installed"),
        (ImportError("libgomp.so.1: cannot open\nmore", name="xgboost"), "cannot be loaded: libgomp.so.1: cannot open"),
        (
            ImportError("cannot import name 'kernels' from 'flows.extract.fast'", name="flows.extract.fast"),
            "the compiled kernels are missing",
        ),
    ],
)
def test_each_kind_of_missing_library_is_named(error, message):
    """Not installed, known by its metadata or its import, or broken: one line, and where to look."""
    found = missing_library(error)
    assert isinstance(found, NotFoundError)
    assert message in found.message
    assert "\n" not in found.message
    assert found.hint


def test_what_kept_a_verb_from_being_loaded_is_named_not_the_verb():
    """The command line's library says which module it could not import; the reason is the import's own."""
    told = ImportError("Cannot import module 'flows.cli.refresh' from 'flows.cli.refresh:look'")
    told.__cause__ = ImportError("cannot import name 'kernels'", name="flows.extract.fast")
    found = missing_library(told)
    assert found is not None
    assert found.message.startswith("the compiled kernels are missing")
    told.__cause__ = ImportError("cannot import name 'nothing' from 'flows.cli'", name="flows.cli")
    assert missing_library(told) is None


def test_a_module_of_our_own_is_no_library():
    """A fault of radzoo itself is not blamed on the machine."""
    assert missing_library(ModuleNotFoundError("No module named 'zoo.nothing'", name="zoo.nothing")) is None


def test_a_network_without_torch_is_refused_and_nothing_else(ready_study, tmp_path):
    """Where PyTorch is missing, training a network ends with a line and exit code 3; other verbs work."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_TORCH)
    variables = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    store = ("--store", str(ready_study.store_root))
    run = radzoo_run(*store, "train", "dl_resnet10", variables=variables)
    assert run.returncode == 3
    assert run.stderr.startswith("error: PyTorch is not installed, and networks need it\nnext: pip install")
    assert radzoo_run(*store, "sql", "select count(*) from studies", variables=variables).returncode == 0
