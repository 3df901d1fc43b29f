"""The archive of an estimator in bytes that do not depend on the process, with networks' weights beside it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from schemas.documents.strict_json import strict_json
from schemas.errors import ContractError
from zoo.saving.archive_nodes import ArchiveFault, ForeignTypesFault, refuse_foreign_nodes
from zoo.saving.files import ESTIMATOR, RESTORE
from zoo.saving.type_names import rename_as_imported, rename_as_saved

__all__ = ["WEIGHTS_ATTRIBUTE", "canonical_archive", "checked_archive"]

WEIGHTS_ATTRIBUTE = "weights_"
"""The attribute of an estimator that holds a network as the bytes of a safetensors file."""

_SCHEMA = "schema.json"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_MOST_MEMBERS = 10_000
_MOST_SCHEMA = 32 << 20
"""Of JSON, which takes up to thirty times as much in memory; a column of a table takes some 300 bytes for each step."""
_DIRECTORY_ENTRY = b"PK\x01\x02"
_DEEPEST = 200
"""Of the schema: each object of an estimator is two to four levels of JSON."""


def canonical_archive(content: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return a skops archive without what differs from process to process, and the weights that were in it.

    skops names objects and array files by memory address; here they are numbered in the order in which the
    schema mentions them. Weights leave the archive for files ``weights.safetensors``, ``weights-2.safetensors``, ...;
    the schema keeps their names and sha256. The zoo's own types have the names that saved models have
    (`zoo.saving.type_names`).
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        members = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}
    weights: dict[str, bytes] = {}

    def number(node: JsonValue, attribute: str = "") -> None:
        if isinstance(node, list):
            for item in node:
                number(item)
        elif isinstance(node, dict):
            address, name = node.get("__id__"), node.get("file")
            if isinstance(address, int):
                node["__id__"] = numbers.setdefault(address, len(numbers) + 1)
            if isinstance(name, str) and name in members:
                if attribute == WEIGHTS_ATTRIBUTE and node["__loader__"] == "BytesNode":
                    file = f"weights{f'-{len(weights) + 1}' if weights else ''}.safetensors"
                    weights[file] = members[name]
                    node["file"], node["sha256"] = file, hashlib.sha256(members[name]).hexdigest()
                else:
                    node["file"] = files.setdefault(name, f"{len(files) + 1}{Path(name).suffix}")
            for key, value in node.items():
                number(value, key)

    number(schema)
    rename_as_saved(schema)
    return _archive(schema, {renamed: members[name] for name, renamed in files.items()}), weights


def checked_archive(
    content: bytes,
    files: Mapping[str, bytes],
    folder: Path,
    *,
    finite: bool,
    types: frozenset[str] = frozenset(),
) -> bytes:
    """Return a skops archive with the weights in it again, as skops reads it, after all of it was checked.

    Nothing is unpacked: a saved model's members are stored as they are, so the archive is as large as what it holds.

    Parameters
    ----------
    content : bytes
        The archive as `canonical_archive` made it.
    files : mapping of str to bytes
        The files of the model's folder.
    folder : Path
        Named in errors.
    finite : bool
        Whether a NaN or an infinity that would decide a probability is refused too.
    types : frozenset of str
        Types that the model's package adds to the list (`zoo.saving.package.package_types`).

    Raises
    ------
    ContractError
        If the archive is none or says more than a saved model does, or weights are missing or others than those that
        were saved with it.
    """
    where = str(folder / ESTIMATOR)
    try:
        schema, members = _unpacked(content)
    except Exception as error:  # a damaged archive takes zipfile anywhere
        raise ContractError(f"the file is not a skops archive: {_phrase(error)}", where=where, hint=RESTORE) from error
    wanted = dict(_weights(schema))
    for name, sha256 in wanted.items():
        if name not in files or hashlib.sha256(files[name]).hexdigest() != sha256:
            what = "are missing" if name not in files else "changed after they were saved"
            raise ContractError(f"the network's weights {what}", where=str(folder / name), hint=RESTORE)
    spare = sorted(name for name in files if name.endswith(".safetensors") and name not in wanted)
    if spare:
        raise ContractError("no network of the model has these weights", where=str(folder / spare[0]), hint=RESTORE)
    members |= {name: files[name] for name in wanted}
    try:
        refuse_foreign_nodes(schema, members, finite=finite, types=types)
    except ForeignTypesFault as fault:
        raise ContractError(
            f"the estimator holds types that are not on the allow-list: {fault}",
            where=where,
            hint="use only models that this project saved; types of a new member go to OWN_TYPES or PluginModel",
        ) from fault
    except ArchiveFault as fault:
        raise ContractError(f"the file is not a skops archive: {fault}", where=where, hint=RESTORE) from fault
    rename_as_imported(schema)
    # On one line: it is read once and kept nowhere, and the json module writes indented text ten times as slowly.
    return _archive(schema, members, indent=None)


def _unpacked(content: bytes) -> tuple[Any, dict[str, bytes]]:
    """Return the schema and the other members of an archive whose members are stored as they are."""
    # Each entry of the directory becomes an object of some hundred bytes before anyone can count them.
    if content.count(_DIRECTORY_ENTRY) > _MOST_MEMBERS:
        raise ValueError(f"it has more than {_MOST_MEMBERS} members")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        if len({info.filename for info in infos}) < len(infos):
            raise ValueError("a member stands in it twice")
        for info in infos:
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & 1:
                raise ValueError("a member is compressed or encrypted, which no saved model's is")
            if info.filename != _SCHEMA and not _MEMBER.fullmatch(info.filename):
                raise ValueError("a member has a name that no saved model's has")
        if sum(info.file_size for info in infos) > len(content):
            raise ValueError("its members share bytes")
        if archive.getinfo(_SCHEMA).file_size > _MOST_SCHEMA:
            raise ValueError(f"its schema has more than {_MOST_SCHEMA} bytes")
        members = {info.filename: archive.read(info) for info in infos}
    return strict_json(members.pop(_SCHEMA), deepest=_DEEPEST), members


_MEMBER = re.compile(r"[0-9A-Za-z-]{1,64}\.(npy|bin)")


def _phrase(error: Exception) -> str:
    if isinstance(error, KeyError):
        return "it has no schema"
    return " ".join(str(error).split())[:200] or type(error).__name__


def _weights(node: JsonValue) -> list[tuple[str, str]]:
    """Return name and sha256 of the weights that a schema mentions."""
    if isinstance(node, list):
        return [found for item in node for found in _weights(item)]
    if not isinstance(node, dict):
        return []
    here = [(str(node["file"]), str(node["sha256"]))] if {"file", "sha256"} <= node.keys() else []
    return here + [found for value in node.values() for found in _weights(value)]


def _archive(schema: Any, members: Mapping[str, bytes], indent: int | None = 1) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), content)
        archive.writestr(zipfile.ZipInfo(_SCHEMA, _ZIP_EPOCH), json.dumps(schema, indent=indent))
    return buffer.getvalue()
