"""What of an installation decides values: compared between the machine that asks and the workers that compute.

A worker with another release of a library would compute other numbers under the same name. What cannot be compared is
the processor: the same libraries may choose other instructions on another one and round the last bit otherwise.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import socket
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

from schemas.errors import ContractError
from zoo.plugins import MODELS, NETWORKS

__all__ = ["environment", "environment_differences", "refuse_other_environment"]

_PACKAGES = ("flows", "store", "zoo", "schemas")
_LIBRARIES = (
    *("radzoo", "numpy", "scipy", "SimpleITK", "PyWavelets", "pyradiomics-bhklab", "scikit-learn", "statsmodels"),
    *("xgboost-cpu", "polars", "pyarrow", "torch", "monai", "antspyx", "onnxruntime"),
)
_ABSENT = "none"


@cache
def environment() -> dict[str, str]:
    """Return what of this installation decides values: Python, kind of machine, libraries, radzoo's own code."""
    libraries = {name: _version(name) for name in (*_LIBRARIES, *_packages_of_members())}
    return {"Python": platform.python_version(), "machine": platform.machine(), **libraries, "code": _code_sha256()}


def environment_differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """Return in words what differs between two environments, that of the worker first."""
    found = []
    for name in here.keys() | there.keys():
        ours, theirs = here.get(name, _ABSENT), there.get(name, _ABSENT)
        if ours == theirs:
            continue
        if name == "code":
            found.append("radzoo's own files differ")
        else:
            found.append(f"{name} {theirs} instead of {ours}")
    return sorted(found)


def refuse_other_environment(expected: Mapping[str, str]) -> None:
    """Refuse, on a worker, to compute for a machine whose environment is another one.

    Raises
    ------
    ContractError
        When values could differ.
    """
    if differences := environment_differences(expected, environment()):
        raise other_environment(socket.gethostname(), differences)


def other_environment(where: str, differences: list[str]) -> ContractError:
    """Return the error of a worker whose environment is another one."""
    return ContractError(
        f"a worker would compute with another installation: {', '.join(differences)}",
        where=where,
        hint="install the same release of radzoo and of these libraries there (pip install --constraint "
        "constraints.txt), start its workers again, then run the command again",
    )


def _packages_of_members() -> list[str]:
    """Return the packages that bring models or networks of their own."""
    found = (each.dist for group in (MODELS, NETWORKS) for each in entry_points(group=group))
    return sorted({each.name for each in found if each is not None})


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return _ABSENT


def _code_sha256() -> str:
    """Return a hash of radzoo's own modules and of the sources of its compiled kernels."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        (folder,) = (spec.submodule_search_locations if spec is not None else None) or [""]
        files = (each for each in Path(folder).rglob("*.py*") if each.suffix in {".py", ".pyx"})
        for name, file in sorted((each.relative_to(folder).as_posix(), each) for each in files):
            digest.update(f"{package}/{name}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
