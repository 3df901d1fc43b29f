"""Altered models made by hand: each a kind of model, what was done, and the function that does it to a copy."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.made.hand_made_estimators import archives, boosters, estimators, weights
from tests.attacks.made.small_models import ExportedFolder
from zoo.saving.files import CARD, ESTIMATOR, MANIFEST, RECORD

__all__ = ["HAND_MADE"]

Alter = Callable[[ExportedFolder], None]
Json = dict[str, Any]


def _setting(path: str, value: Any, *, remove: bool = False) -> Alter:
    """Return what sets, or removes, a value of the record's metadata."""

    def change(record: Json) -> None:
        *above, last = path.split("/")
        for key in above:
            record = record[int(key) if isinstance(record, list) else key]
        if remove:
            del record[last]
        else:
            record[int(last) if isinstance(record, list) else last] = value

    return lambda folder: folder.edit_record(change)


def _text(name: str, old: str, new: str, *, seal: bool = True) -> Alter:
    """Return what replaces a text in a file, where JSON has no way to say it."""

    def change(folder: ExportedFolder) -> None:
        content = folder.read(name)
        assert old.encode() in content, old
        folder.write(name, content.replace(old.encode(), new.encode(), 1))
        if seal:
            folder.seal()

    return change


def _whole(name: str, content: bytes, *, seal: bool = True) -> Alter:
    def change(folder: ExportedFolder) -> None:
        folder.write(name, content)
        if seal:
            folder.seal()

    return change


def _records() -> Iterator[tuple[str, str, Alter]]:
    for value in (None, "0.5", True, [0.5], {}, -0.1, 1.5, 10**30, 1e300):
        yield "cr", f"threshold {value!r}", _setting("metadata/threshold", value)
    yield "cr", "no threshold", _setting("metadata/threshold", None, remove=True)
    for word in ("NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 5000, "0x1", "'0.5'", "[" * 100_000):
        yield "radiomics_lr", f"threshold {word[:20]}", _text(RECORD, '"threshold": 0.5', f'"threshold": {word}')
    twice = '"threshold": 0.5, "threshold": 0.9'
    yield "radiomics_lr", "threshold twice", _text(RECORD, '"threshold": 0.5', twice)
    for path, value in (
        ("format", 99),
        ("format", True),
        ("format", "3"),
        ("format", None),
        ("libraries", None),
        ("libraries", {"numpy": 2}),
        ("metadata", []),
        ("metadata/columns", []),
        ("metadata/columns", None),
        ("metadata/columns", "age"),
        ("metadata/columns", ["age", "age"]),
        ("metadata/columns", ["age"]),
        ("metadata/columns", ["age", "afp>400"]),
        ("metadata/columns", ["afp>400", "age", "more"]),
        ("metadata/columns", ["afp>400", 5]),
        ("metadata/columns", [f"c{number}" for number in range(300_000)]),
        ("metadata/inputs", {}),
        ("metadata/inputs", None),
        ("metadata/inputs/factors", [{"variable": "afp"}]),
        ("metadata/inputs/factors", [{"variable": "other", "above": 1}]),
        ("metadata/inputs/factors/0/above", "400"),
        ("metadata/inputs/factors/0/equals", "male"),
        ("metadata/inputs/comparator", "nothing"),
        ("metadata/inputs/comparator", "../x"),
        ("metadata/inputs/missing", "guess"),
        ("metadata/inputs/harmonise", "site"),
        ("metadata/variables", {}),
        ("metadata/variables/age/kind", "category"),
        ("metadata/variables/age/unit", None),
        ("metadata/variables/age/unit", "10*999999999"),
        ("metadata/variables/age/unit", "(" * 60),
        ("metadata/variables/age/unit", "a" * 100_000),
        ("metadata/variables/age/levels", ["x"]),
        ("metadata/references/age/mean", "60"),
        ("metadata/references/age/deviation", -1),
        ("metadata/study", "../../etc"),
        ("metadata/study", "other"),
        ("metadata/model", "radiomics_lr"),
        ("metadata/model", "\x1b[2Jcr"),
        ("metadata/dataset_id", "x\n"),
        ("metadata/dataset_id", None),
        ("metadata/examples/probabilities/0", 0.123),
        ("metadata/examples/probabilities", []),
        ("metadata/examples/columns", ["other", "age"]),
        ("metadata/examples/rows", [[1]]),
        ("metadata/examples/rows", "x"),
    ):
        yield "cr", f"{path} {str(value)[:40]!r}", _setting(path, value)
    yield "cr", "record in UTF-16", lambda f: _whole(RECORD, f.read(RECORD).decode().encode("utf-16"))(f)
    yield "cr", "half a surrogate", _text(RECORD, '"study": "s"', '"study": "\\ud800"')
    yield "cr", "record of 20 MB", lambda f: _whole(RECORD, f.read(RECORD) + b" " * (20 << 20))(f)
    yield "cr", "record of open brackets", _whole(RECORD, b"[" * (15 << 20))
    yield "cr", "record of empty lists", _whole(RECORD, b"[" + b"[]," * (5 << 20) + b"[]]")
    yield "cr", "empty record", _whole(RECORD, b"")
    yield "cr", "card that is no text", _whole(CARD, b"\xff\xfe\x00")


def _manifests() -> Iterator[tuple[str, str, Alter]]:
    def edited(change: Callable[[Json], object]) -> Alter:
        def alter(folder: ExportedFolder) -> None:
            manifest = json.loads(folder.read(MANIFEST))
            change(manifest)
            folder.write(MANIFEST, json.dumps(manifest).encode())

        return alter

    yield "cr", "mark taken out", edited(lambda m: m.pop("mark"))
    yield "cr", "mark set to null", edited(lambda m: m.update(mark=None))
    yield "cr", "mark changed", edited(lambda m: m.update(mark="fine"))
    yield "cr", "files taken out", edited(lambda m: m.pop("files"))
    yield "cr", "files emptied", edited(lambda m: m.update(files={}))
    yield "cr", "a file's hash changed", edited(lambda m: m["files"].update({RECORD: "0" * 64}))
    yield "cr", "version changed", edited(lambda m: m.update(version=2))
    yield "cr", "version a text", edited(lambda m: m.update(version="1"))
    yield "cr", "version negative", edited(lambda m: m.update(version=-1))
    yield "cr", "time changed", edited(lambda m: m.update(trained_at="2000-01-01"))
    yield "cr", "hash short", edited(lambda m: m.update(sha256="ab"))
    yield "cr", "hash a number", edited(lambda m: m.update(sha256=5))
    yield "cr", "hash gone", edited(lambda m: m.pop("sha256"))
    yield "cr", "own hash gone", edited(lambda m: m.pop("manifest_sha256"))
    yield "cr", "format 3", edited(lambda m: m.update(format=3))
    yield "cr", "study of another", edited(lambda m: m.update(study="other"))
    yield "cr", "a list", _whole(MANIFEST, b"[]", seal=False)
    yield "cr", "no JSON", _whole(MANIFEST, b"{", seal=False)
    yield "cr", "2 MB", _whole(MANIFEST, b" " * (2 << 20), seal=False)
    yield "cr", "hash twice", _text(MANIFEST, '"sha256"', '"sha256": "", "sha256"', seal=False)


def _folders() -> Iterator[tuple[str, str, Alter]]:
    def instead(name: str, make: Callable[[str], object]) -> Alter:
        def alter(folder: ExportedFolder) -> None:
            (folder.path / name).unlink()
            make(str(folder.path / name))

        return alter

    def listening(path: str) -> None:
        # The name of a socket has 108 bytes at most, and a temporary folder's may have more.
        short = Path(path).parent / "s"
        with socket.socket(socket.AF_UNIX) as opened, contextlib.chdir(short.parent):
            opened.bind(short.name)
        short.rename(path)

    def sparse(path: str) -> None:
        with Path(path).open("wb") as file:
            file.truncate(10 << 30)

    def empty(path: str) -> None:
        Path(path).touch()

    def linked(to: str, path: str) -> None:
        Path(path).symlink_to(to)

    def moved(name: str, link: Callable[[str, str], None]) -> Alter:
        def alter(folder: ExportedFolder) -> None:
            elsewhere = folder.path.parent / f"moved-{name}"
            elsewhere.unlink(missing_ok=True)
            (folder.path / name).rename(elsewhere)
            link(str(elsewhere), str(folder.path / name))

        return alter

    for name in (ESTIMATOR, RECORD, CARD, MANIFEST):
        yield "radiomics_lr", f"{name} a pipe", instead(name, os.mkfifo)
        yield "radiomics_lr", f"{name} a folder", instead(name, os.mkdir)
        yield "radiomics_lr", f"{name} a socket", instead(name, listening)
        yield "radiomics_lr", f"{name} missing", instead(name, lambda path: None)
        yield "radiomics_lr", f"{name} a link", moved(name, linked)
        yield "radiomics_lr", f"{name} a link to zeros", instead(name, lambda path: linked("/dev/zero", path))
        yield "radiomics_lr", f"{name} a link to itself", instead(name, lambda path: linked(path, path))
        yield "radiomics_lr", f"{name} a second name of its file", moved(name, os.link)
        yield "radiomics_lr", f"{name} of 10 GB", instead(name, sparse)
    for name, make in (
        ("more.py", empty),
        ("sub", os.mkdir),
        ("pipe", os.mkfifo),
        ("weights.safetensors", empty),
        ("x\n\x1b[2J", empty),
        (".hidden", empty),
        ("weights-2.safetensors", lambda path: linked("/dev/zero", path)),
    ):

        def add(folder: ExportedFolder, name: str = name, make: Callable[[str], object] = make) -> None:
            make(str(folder.path / name))

        yield "radiomics_lr", f"a file more: {name!r}", add


HAND_MADE: tuple[tuple[str, str, Alter], ...] = (
    *_records(),
    *_manifests(),
    *_folders(),
    *archives(),
    *estimators(),
    *boosters(),
    *weights(),
)
"""Kind of model, what was done, and what does it."""
