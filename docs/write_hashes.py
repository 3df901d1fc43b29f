"""Write the SHA-256 of the files that constraints.txt pins, for an installation that takes no other files.

    python docs/write_hashes.py > hashes.txt              all packages but those below; one request each
    python docs/write_hashes.py pytest MarkupSafe         these only

    pip install --no-deps --require-hashes -r hashes.txt
    pip install --constraint constraints.txt --editable .

Two steps, for pip takes hashes for all that it installs in one call or for nothing: a constraint with a hash turns
``--require-hashes`` on, which then refuses radzoo itself, an editable folder without one file to hash. The second step
finds everything but radzoo and torch there already.

The index is the one that pip is configured to use. Of a version's files those are taken that Python 3.11 to 3.13 uses
on Linux, macOS and Windows; the source where there is no such wheel.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
LEFT_OUT = {"torch": "who has a GPU, or none, takes another build of the same version, from another index"}
_WHEEL = re.compile(r"-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl$")
_PLATFORM = re.compile(
    r"any|(manylinux|musllinux)\w*_(x86_64|aarch64)|macosx_\w+_(arm64|x86_64|universal2)|win_(amd64|arm64)"
)
_EXACT = {"cp311", "cp312", "cp313"}
_STABLE = {f"cp3{minor}" for minor in range(2, 14)}


def main() -> None:
    """Print a requirements file with hashes."""
    named = {normalised(name) for name in sys.argv[1:]}
    index = configured_index()
    print("# By docs/write_hashes.py: pip install --no-deps --require-hashes -r this file.")
    for name, why in LEFT_OUT.items():
        print(f"# {name} is left out: {why}.")
    for name, version in pinned(CONSTRAINTS.read_text(encoding="utf-8")):
        if normalised(name) in LEFT_OUT or (named and normalised(name) not in named):
            continue
        print("\n".join(requirement(name, version, listed(index, name))))


def pinned(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of each pinned package."""
    for line in text.splitlines():
        name, equals, version = line.partition("==")
        if equals and not line.startswith("#"):
            yield name.strip(), version.strip()


def requirement(name: str, version: str, files: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the lines of one package.

    Raises
    ------
    SystemExit
        Where the index has none of its files, or no hash of one.
    """
    of_version = [each for each in files if is_of(each["filename"], name, version) and not each.get("yanked")]
    usable = [each for each in of_version if is_usable_wheel(each["filename"])]
    usable = usable or [each for each in of_version if each["filename"].endswith((".tar.gz", ".zip"))]
    hashes = sorted({each["hashes"].get("sha256", "") for each in usable})
    if not all(hashes) or not hashes:
        sys.exit(f"{name}=={version}: the index names no file with a SHA-256 that these Pythons use")
    return " \\\n".join([f"{name}=={version}", *(f"    --hash=sha256:{each}" for each in hashes)]).split("\n")


def is_of(filename: str, name: str, version: str) -> bool:
    """Return whether a file is a wheel or the source of a package's version."""
    found = re.fullmatch(r"(?P<name>.+?)-(?P<version>\d[^-]*?)(-.+\.whl|\.tar\.gz|\.zip)", filename)
    return found is not None and normalised(found["name"]) == normalised(name) and found["version"] == version


def is_usable_wheel(filename: str) -> bool:
    """Return whether a file is a wheel for Python 3.11, 3.12 or 3.13 on a usual platform."""
    found = _WHEEL.search(filename)
    if found is None or not any(_PLATFORM.fullmatch(each) for each in found["platform"].split(".")):
        return False
    pythons = set(found["python"].split("."))
    if "py3" in pythons:
        return True
    return bool(pythons & (_STABLE if found["abi"] == "abi3" else _EXACT)) and found["abi"] in ("abi3", *pythons)


def normalised(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def configured_index() -> str:
    """Return the address of the index that pip asks."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    if told:
        return told
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url)


def listed(index: str, name: str) -> list[dict[str, Any]]:
    """Return what an index says of a package's files."""
    request = Request(  # noqa: S310  (the address is pip's own)
        f"{index.rstrip('/')}/{normalised(name)}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urlopen(request, timeout=60) as answer:  # noqa: S310
        return list(json.load(answer)["files"])


if __name__ == "__main__":
    main()
