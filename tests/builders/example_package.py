"""The example package of docs/examples, built by its own build backend and installed into a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from flows.engine import broken_packages
from zoo import plugins

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "radzoo-example"


def installed_example(folder: Path) -> Path:
    """Build the package's wheel and unpack it as pip does; return the folder that holds it."""
    copytree(EXAMPLE, folder / "source", ignore=ignore_patterns("build", "*.egg-info", "__pycache__"))
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=folder / "source", check=True, capture_output=True, text=True
    )
    (wheel,) = folder.glob("radzoo_example-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@contextmanager
def on_the_path(*folders: Path) -> Iterator[None]:
    """Let this process and those that it starts find the packages in some folders."""
    with pytest.MonkeyPatch.context() as patch:
        for folder in folders:
            patch.syspath_prepend(folder)
        known = os.environ.get("PYTHONPATH", "")
        patch.setenv("PYTHONPATH", os.pathsep.join([*map(str, folders), *([known] if known else [])]))
        forget()
        try:
            yield
        finally:
            for name in [name for name in sys.modules if name.partition(".")[0] in ("radzoo_example", "planted")]:
                del sys.modules[name]
    forget()


def forget() -> None:
    """Let entry points be looked for again."""
    plugins._found.cache_clear()
    broken_packages.warn_of_broken_packages.cache_clear()
