"""What may be imported from each package and stays: nothing comes or goes unseen."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

PUBLIC = {
    "schemas": [
        "ContractError",
        "NotFoundError",
        "RadzooError",
        "StoreBusyError",
        "UnfinishedError",
        "UsageError",
    ],
    "store": ["Answer", "Dataset", "Model", "Predicted", "StoreReader", "open_store"],
    "zoo": [],
    "flows": [],
}


@pytest.mark.parametrize("package", PUBLIC)
def test_a_package_has_just_these_public_names(package):
    """The list is the package's own, each name is there and described, and a star import gives them."""
    module = import_module(package)
    assert sorted(module.__all__) == PUBLIC[package]
    given: dict[str, object] = {}
    exec(f"from {package} import *", given)  # noqa: S102  (the statement is this test's own)
    for name in PUBLIC[package]:
        assert given[name] is getattr(module, name)
        assert getattr(module, name).__doc__
    assert set(PUBLIC[package]) <= set(dir(module))


def test_a_name_that_no_package_has_is_an_import_error():
    """A misspelt name is refused when it is imported."""
    with pytest.raises(ImportError, match="cannot import name 'open_stores'"):
        exec("from store import open_stores", {})  # noqa: S102  (the statement is this test's own)


def test_the_name_alone_loads_no_library():
    """Whoever imports open_store waits for no database, no data frame and no flow."""
    code = "import sys; from store import open_store; print(*sorted(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"store"} <= loaded
    assert (
        loaded & {"duckdb", "pyarrow", "polars", "pandas", "numpy", "sqlalchemy", "pydantic", "zoo", "flows"} == set()
    )
