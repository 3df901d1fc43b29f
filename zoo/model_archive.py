"""The archive of an estimator in bytes that do not depend on the process, with networks' weights beside it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from schemas.errors import ContractError

__all__ = ["WEIGHTS_ATTRIBUTE", "canonical_archive", "joined_archive"]

WEIGHTS_ATTRIBUTE = "weights_"
"""The attribute of an estimator that holds a network as the bytes of a safetensors file."""

_SCHEMA = "schema.json"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def canonical_archive(content: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return a skops archive without what differs from process to process, and the weights that were in it.

    skops names objects and array files by memory address; here they are numbered in the order in which the
    schema mentions them. Weights leave the archive for files ``weights.safetensors``, ``weights-2.safetensors``, ...;
    the schema keeps their names and sha256.
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
    return _archive(schema, {renamed: members[name] for name, renamed in files.items()}), weights


def joined_archive(content: bytes, files: Mapping[str, bytes], folder: Path) -> bytes:
    """Return a skops archive with the weights in it again, as skops reads it.

    Parameters
    ----------
    content : bytes
        The archive as `canonical_archive` made it.
    files : mapping of str to bytes
        The files of the model's folder.
    folder : Path
        Named in errors.

    Raises
    ------
    ContractError
        If the archive is none, or weights are missing or others than those that were saved with it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            schema = json.loads(archive.read(_SCHEMA))
            members = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ContractError(
            f"the file is not a skops archive: {error}", where=str(folder / "estimator.skops")
        ) from error
    wanted = dict(_weights(schema))
    for name, sha256 in wanted.items():
        if name not in files or hashlib.sha256(files[name]).hexdigest() != sha256:
            what = "are missing" if name not in files else "changed after they were saved"
            raise ContractError(
                f"the network's weights {what}",
                where=str(folder / name),
                hint="train the model again, or restore the folder from a backup",
            )
    return _archive(schema, members | {name: files[name] for name in wanted}) if wanted else content


def _weights(node: JsonValue) -> list[tuple[str, str]]:
    """Return name and sha256 of the weights that a schema mentions."""
    if isinstance(node, list):
        return [found for item in node for found in _weights(item)]
    if not isinstance(node, dict):
        return []
    here = [(str(node["file"]), str(node["sha256"]))] if {"file", "sha256"} <= node.keys() else []
    return here + [found for value in node.values() for found in _weights(value)]


def _archive(schema: Any, members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), content)
        archive.writestr(zipfile.ZipInfo(_SCHEMA, _ZIP_EPOCH), json.dumps(schema, indent=1))
    return buffer.getvalue()
