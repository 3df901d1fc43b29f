"""skops, loaded where a model is read or written, and in a program of our own without all of scikit-learn.

skops trusts scikit-learn's estimators of itself, and loads all of scikit-learn to name them, PyTorch with it where that
is installed: over a second. A model's types are named here (`zoo.saving.archive_nodes`), so nothing is trusted that
those lists lack. Whoever imports this package into a program of theirs finds skops as it is.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

__all__ = ["load_skops_small", "skops_io"]

_is_own_program = False
_LOADING = threading.Lock()


def load_skops_small() -> None:
    """Let this process, which is a program of the project's own, load skops without all of scikit-learn."""
    global _is_own_program
    _is_own_program = True


def skops_io() -> Any:
    """Return the module ``skops.io``."""
    with _LOADING:
        if not _is_own_program or "skops.io" in sys.modules:
            return importlib.import_module("skops.io")
        return _loaded_small()


def _loaded_small() -> ModuleType:
    import sklearn.utils

    every_estimator = sklearn.utils.all_estimators
    # skops asks for them once, when it is loaded.
    sklearn.utils.all_estimators = list
    try:
        return importlib.import_module("skops.io")
    finally:
        sklearn.utils.all_estimators = every_estimator
