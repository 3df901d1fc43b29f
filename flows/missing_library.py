"""What to say where a library is not installed, or cannot be loaded: which, what needs it, how to get it."""

from __future__ import annotations

from schemas.errors import NotFoundError

__all__ = ["missing_library"]

_OWN = ("flows", "store", "zoo", "schemas", "radzoo")
_COMPILED = "flows.extract.fast"  # the package whose kernels are built with it
_OF_NETWORKS = {"torch": "PyTorch", "monai": "MONAI"}


def missing_library(error: ImportError) -> NotFoundError | None:
    """Return what to say of a library that could not be loaded; None where it is a module of radzoo's own.

    ``importlib.metadata`` raises the same error for a distribution that is not installed.
    """
    if isinstance(error.__cause__, ImportError):
        # One who loads modules by their names says which one could not be: why not, its cause says.
        return missing_library(error.__cause__)
    name = (error.name or "").partition(".")[0]
    if error.name == _COMPILED:
        return NotFoundError(
            "the compiled kernels are missing, and extractions need them",
            hint="install the package again: make .venv/.ready, or pip install --editable . in its folder",
        )
    if name in _OWN:
        return None
    if name in _OF_NETWORKS and isinstance(error, ModuleNotFoundError):
        return NotFoundError(
            f"{_OF_NETWORKS[name]} is not installed, and networks need it",
            hint="pip install 'torch>=2.9,<3' 'monai>=1.6,<1.7', or name models that are no networks",
        )
    if isinstance(error, ModuleNotFoundError) and name:
        return NotFoundError(f"the library '{name}' is not installed", hint="radzoo doctor names what is missing")
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return NotFoundError(f"a library cannot be loaded: {first}", hint="radzoo doctor names what is broken")
