"""Write licences.md: what radzoo installs beside itself, under which licence, and what is known to be wrong with it.

    python docs/list_licences.py            write docs/licences.md from what is installed
    python docs/list_licences.py --check    exit 1 where it would change

Licences are those that the packages' own metadata name. Versions are left out: constraints.txt has them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path(__file__).with_name("licences.md")
OPTIONAL = ("dask", "onnx", "openlineage", "postgresql", "ray")
"""The extras that a user may install; those of development do not come along."""

REMARKS = {
    "docopt": "No release since 2014. It comes with pykwalify, for a command of its own that is never called. "
    "The way out: it goes with pykwalify.",
    "pykwalify": "No release since 2020. pyradiomics checks parameter files with it; radzoo hands over no such file. "
    "The way out: it goes when the features are computed without pyradiomics.",
    "text-unidecode": "No release since 2019. Of its two licences the Artistic one is used. It comes with "
    "Prefect, by python-slugify; radzoo does not call it, and passes it on to nobody: pip fetches it. "
    "The way out: it goes when Prefect makes its names without python-slugify.",
    "toml": "No release since 2020. It comes with Prefect, for its profiles; radzoo reads TOML with tomllib. "
    "The way out: it goes when Prefect does the same.",
    "xgboost-cpu": "XGBoost without 300 MB of GPU libraries, by the same authors.",
    "pyradiomics-bhklab": "pyradiomics for Python 3.12 and later, see adr/0003.",
}
HASHES = """\
## Hashes of what is installed

`constraints.txt` pins versions, without hashes: pip (tried with 23.2.1, which Python 3.11 brings, and 26.3) takes a
hash in a constraint as `--require-hashes` for the whole call. It then refuses radzoo itself ("The editable requirement
cannot be installed when requiring hashes, because there is no single file to hash") and each package without a hash,
such as a torch that was built for one's own GPU. Who wants hashes installs in two steps:

```console
$ python docs/write_hashes.py > hashes.txt
$ pip install --no-deps --require-hashes -r hashes.txt    # all that is pinned but torch; another file is refused
$ pip install --constraint constraints.txt --editable .   # radzoo and torch: all else is there
```

The hashes are those that the index names on the day: keep the file, and it tells a file that was changed since. torch
is left out, since its builds for CPU and GPU share a version and come from different indexes. docopt and
pyradiomics-bhklab are built from source; what their building fetches has no hash.
"""
# What metadata say in a sentence, or not at all; read off the licence file that the package brings along.
READ_BY_HAND = {"skops": "MIT", "matplotlib": "PSF-based (matplotlib)", "kiwisolver": "BSD-3-Clause"}


def main() -> None:
    """Write the page, or compare it with what is written."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit("docs/licences.md is not what is installed: python docs/list_licences.py")


def page() -> str:
    """Return the page as Markdown."""
    needed = installed_for("radzoo", "")
    optional = {name: each for extra in OPTIONAL for name, each in installed_for("radzoo", extra).items()}
    lines = [
        "# Licences",
        "",
        "radzoo is under the Apache License 2.0. `python docs/list_licences.py` lists what it installs, from",
        "the packages' metadata. No package can be had under the GPL or a like licence only.",
        "",
        *table(needed),
        "",
        f"Only with the extras {', '.join(OPTIONAL[:-1])} and {OPTIONAL[-1]}:",
        "",
        *table({name: each for name, each in optional.items() if name not in needed}),
        "",
        HASHES.rstrip(),
    ]
    return "\n".join(lines) + "\n"


def table(packages: dict[str, Distribution]) -> list[str]:
    """Return a row a package."""
    rows = [f"| {each.name} | {licence(each)} | {REMARKS.get(name, '')} |" for name, each in sorted(packages.items())]
    return ["| package | licence | remark |", "|---|---|---|", *rows]


def installed_for(root: str, extra: str) -> dict[str, Distribution]:
    """Return the packages that one needs, itself left out, by normalised name."""
    found: dict[str, Distribution] = {}
    pending = [(root, frozenset([extra]))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while pending:
        step = pending.pop()
        if step in seen:
            continue
        seen.add(step)
        try:
            package = distribution(step[0])
        except PackageNotFoundError:  # for another system or Python, or an extra that is not installed
            continue
        found[normalised(package.name)] = package
        pending += [(each.name, frozenset(each.extras) | {""}) for each in needs(package, step[1])]
    found.pop(normalised(root), None)
    return found


def needs(package: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    """Yield what a package asks for on this system."""
    for text in package.requires or []:
        asked = Requirement(text)
        if asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in extras):
            yield asked


def licence(package: Distribution) -> str:
    """Return a package's licence: the expression, else its classifiers, else its one-line field."""
    name = normalised(package.name)
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [each.rpartition(" :: ")[2] for each in metadata.get_all("Classifier") or [] if "License ::" in each]
    if classifiers:
        return ", ".join(classifiers)
    return str(metadata.get("License", "")).strip().partition("\n")[0]


def normalised(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
