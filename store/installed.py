"""The versions of installed libraries: each is looked up once, for what a process has loaded stays as it is."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import version

__all__ = ["installed_version"]


def installed_version(distribution: str) -> str:
    """Return the version of an installed distribution, as this process first found it on its module path.

    Raises
    ------
    PackageNotFoundError
        When it is not installed.
    """
    return _version_on(tuple(sys.path), distribution)


@cache
def _version_on(_path: tuple[str, ...], distribution: str) -> str:
    return version(distribution)
