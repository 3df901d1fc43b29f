"""Python, the libraries and what they decide; run as a process, for a library may crash when it is loaded."""

from __future__ import annotations

import importlib
import shlex
import shutil
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from os import environ

from packaging.requirements import InvalidRequirement, Requirement

from flows.doctor.finding import EVERY_VERB, Finding, carefully
from flows.doctor.probe import write_begun, write_findings

__all__ = ["DECIDING", "compiler_findings", "pyradiomics_findings", "python_findings", "version_findings"]

DECIDING = {"SimpleITK": "2.5.7", "PyWavelets": "1.9.0"}
"""Libraries whose version is a part of a feature set's definition, with the tested one (constraints.txt)."""
_FORK, _PLAIN = "pyradiomics-bhklab", "pyradiomics"
_FORK_VERSION = "3.1.4"
_FEATURES = "refresh"
_OF_NETWORKS = {"torch", "monai", "safetensors"}
_MODULES = {
    "SimpleITK": ("SimpleITK", "ingest, refresh"),
    "PyWavelets": ("pywt", _FEATURES),
    _FORK: ("radiomics.featureextractor", _FEATURES),
    "duckdb": ("duckdb", EVERY_VERB),
    "pyarrow": ("pyarrow.parquet", EVERY_VERB),
    "polars": ("polars", EVERY_VERB),
    "sqlalchemy": ("sqlalchemy", EVERY_VERB),
    "scipy": ("scipy.stats", "train, bench"),
    "scikit-learn": ("sklearn.linear_model", "train, bench"),
    "statsmodels": ("statsmodels.api", "train, bench"),
    "xgboost-cpu": ("xgboost", "train, bench"),
    "skops": ("skops.io", "train, predict"),
    "matplotlib": ("matplotlib.figure", "report"),
}
"""What is loaded to see whether it can be; the networks' libraries have a check of their own."""


def python_findings() -> Iterator[Finding]:
    """Look at the Python itself."""
    own = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= (3, 14):
        yield Finding("warning", "Python", f"{own}; tested are 3.11 to 3.13", EVERY_VERB, "make demo PYTHON=python3.13")
    else:
        yield Finding("ok", "Python", own, EVERY_VERB)


def version_findings() -> Iterator[Finding]:
    """Compare what is installed with the ranges of radzoo's own requirements."""
    faulty = looked_at = 0
    for text in requires("radzoo") or []:
        try:
            each = Requirement(text)
        except InvalidRequirement:
            continue
        if each.marker is not None and not each.marker.evaluate({"extra": ""}):
            continue
        looked_at += 1
        needed_for = "networks: train, embed, predict" if each.name in _OF_NETWORKS else EVERY_VERB
        step = f"pip install {shlex.quote(f'{each.name}{each.specifier}')}"
        try:
            installed = version(each.name)
        except PackageNotFoundError:
            installed = None
        if installed is None:
            faulty += 1
            yield Finding("missing", each.name, f"not installed; {each.specifier} is needed", needed_for, step)
        elif not each.specifier.contains(installed, prereleases=True):
            faulty += 1
            yield Finding("missing", each.name, f"{installed}; {each.specifier} is needed", needed_for, step)
    if not faulty:
        yield Finding("ok", "libraries", f"all {looked_at} requirements are met", EVERY_VERB)


def pyradiomics_findings() -> Iterator[Finding]:
    """Look at the libraries that decide feature values."""
    fork, plain = _installed(_FORK), _installed(_PLAIN)
    put_right = f"pip uninstall -y {_PLAIN} {_FORK} && pip install {_FORK}=={_FORK_VERSION}"
    if fork and plain:
        yield Finding(
            "warning", _PLAIN, f"two builds of one module: {_FORK} {fork} and {_PLAIN} {plain}", _FEATURES, put_right
        )
    elif fork not in (None, _FORK_VERSION) or plain not in (None, "3.0.1"):
        name, own = (_FORK, fork) if fork else (_PLAIN, plain)
        yield Finding("warning", _PLAIN, f"{name} {own}: feature sets get a new version", _FEATURES, put_right)
    elif fork or plain:
        yield Finding("ok", _PLAIN, "gives the values of 3.0.1", _FEATURES)
    for name, tested in DECIDING.items():
        if (own := _installed(name)) is not None and own != tested:
            yield Finding(
                "warning",
                name,
                f"{own}, tested is {tested}: feature sets get a new version",
                _FEATURES,
                f"pip install {name}=={tested}",
            )


def compiler_findings() -> Iterator[Finding]:
    """Look for the C compiler that builds pyradiomics."""
    name = shlex.split(environ.get("CC") or "cc")[0]
    if (where := shutil.which(name)) is not None:
        yield Finding("ok", "C compiler", where, "set-up")
    else:
        yield Finding(
            "warning",
            "C compiler",
            f"there is no '{name}'",
            "set-up: pyradiomics is built from source",
            "apt-get install gcc (Debian, Ubuntu), dnf install gcc (Fedora), xcode-select --install (macOS)",
        )


def _loading_findings() -> Iterator[Finding]:
    failed = 0
    for name, (module, needed_for) in _MODULES.items():
        write_begun(name)
        try:
            importlib.import_module(module)
        except Exception as error:
            failed += 1
            if _installed(name) is None:
                continue  # that it is not there is a finding already
            lines = str(error).splitlines() or [type(error).__name__]
            yield Finding(
                "missing", name, f"cannot be loaded: {lines[0]}", needed_for, f"pip install --force-reinstall {name}"
            )
    if not failed:
        yield Finding("ok", "loading", f"{len(_MODULES)} libraries can be loaded", EVERY_VERB)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for look in (python_findings, version_findings, pyradiomics_findings, compiler_findings):
        write_findings(carefully("libraries", EVERY_VERB, look))
    write_findings(_loading_findings())
