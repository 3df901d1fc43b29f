"""Models as folders read without running code: estimator.skops, weights.safetensors, model.json; never pickle."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from schemas.documents.strict_json import strict_json
from schemas.errors import ContractError, NotFoundError
from store.installed import installed_version
from zoo.saving.archive import canonical_archive, checked_archive
from zoo.saving.archive_nodes import LIBRARY_TYPES
from zoo.saving.files import CARD, ESTIMATOR, RECORD, RESTORE, model_files, refuse_large_file
from zoo.saving.package import package_types, recorded_package
from zoo.saving.skops_io import skops_io
from zoo.saving.type_names import OWN_TYPES

# skops takes seconds to load: it is imported where a model is read or written, for the list of models and every --help
# pass through here.
if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = [
    "LoadedModel",
    "checked_contents",
    "folder_sha256",
    "load_model",
    "loaded_files",
    "loaded_record",
    "save_model",
]

# 1 had no card, and knew neither the definition of its features nor the units of its variables; 2 had no networks.
_FORMAT = 3
_READABLE = (1, 2, 3)
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "skops", "radzoo")
_NETWORK_LIBRARIES = ("torch", "monai", "safetensors")


@dataclass(frozen=True)
class LoadedModel:
    """A model read from its folder.

    Attributes
    ----------
    estimator : BaseEstimator
        Fitted.
    metadata : Mapping[str, JsonValue]
        What was given to ``save_model``.
    libraries : Mapping[str, str]
        Versions of the libraries that wrote the model.
    sha256 : str
        The folder's hash.
    card : str or None
        What the model is, for people; None in a folder of format 1.
    """

    estimator: BaseEstimator
    metadata: Mapping[str, JsonValue]
    libraries: Mapping[str, str]
    sha256: str
    card: str | None = None


def save_model(
    folder: Path, estimator: BaseEstimator, metadata: Mapping[str, JsonValue], card: str | None = None
) -> str:
    """Write a model's folder and return its sha256.

    The folder appears complete or not at all: it is written beside its place and renamed. It is never
    changed afterwards; saving the same model there again is allowed and writes nothing. Equal estimators
    and metadata give equal bytes in every process.

    Parameters
    ----------
    folder : Path
        Where the model goes; its parent is made if needed.
    estimator : BaseEstimator
        Fitted, of types that ``load_model`` accepts. Weights of networks in it get files of their own
        (``weights.safetensors``), which other programs can read.
    metadata : Mapping[str, JsonValue]
        What a user of the model needs: input columns in order, threshold, dataset, ...
    card : str, optional
        What the model is, for people, in Markdown; no card is written where there is none.

    Raises
    ------
    ContractError
        If the folder holds another model, the estimator holds a type that would be refused on loading, or
        the metadata are not JSON (NaN and infinity are not).
    """
    types = package_types(metadata, str(folder / RECORD))
    archive, weights = _estimator_files(estimator, folder, types)
    contents = {
        ESTIMATOR: archive,
        **weights,
        RECORD: _record_bytes(metadata, folder, _LIBRARIES + (_NETWORK_LIBRARIES if weights else ())),
    } | ({} if card is None else {CARD: card.encode()})
    sha256 = folder_sha256(contents)
    if folder.exists():
        if folder.is_dir() and folder_sha256(model_files(folder)) == sha256:
            return sha256
        raise ContractError(
            "there is another model already, and a saved model is never changed",
            where=str(folder),
            hint="save under a new version",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    unfinished.mkdir()
    try:
        for name, content in contents.items():
            with (unfinished / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return sha256


def load_model(folder: Path, expected_sha256: str | None = None) -> LoadedModel:
    """Return the model of a folder; nothing of it is run before its hash and every type in it are checked.

    For a folder of a store, whose hash the catalogue has. One from elsewhere is loaded in a process of its own
    (`zoo.models.foreign`).

    Parameters
    ----------
    folder : Path
        Written by ``save_model``.
    expected_sha256 : str, optional
        The catalogue's hash; without it a changed folder is not noticed, and only what it is made of is checked.

    Raises
    ------
    NotFoundError
        If there is no model.
    ContractError
        If the hash differs, a type is not on the allow-list (the message names it), or the files cannot be
        read.
    """
    return loaded_files(checked_contents(folder, expected_sha256), folder)


def loaded_files(contents: Mapping[str, bytes], folder: Path, *, finite: bool = False) -> LoadedModel:
    """Return the model that the files of a folder hold.

    Parameters
    ----------
    contents : mapping of str to bytes
        From `checked_contents`.
    folder : Path
        Named in errors.
    finite : bool
        Whether a number of the estimator that is NaN or infinite is refused; those that decide no probability are not.

    Raises
    ------
    ContractError
        If a type is not on the allow-list, or the files are not what a model's are.
    """
    record = loaded_record(contents, folder)
    types = package_types(record["metadata"], str(folder / RECORD))
    archive = checked_archive(contents[ESTIMATOR], contents, folder, finite=finite, types=types)
    try:
        estimator = skops_io().loads(archive, trusted=[*LIBRARY_TYPES, *OWN_TYPES.values(), *types])
    except Exception as error:  # attributes that no class expects end in whatever the class raises
        raise ContractError(
            f"the estimator cannot be made of its file: {type(error).__name__}: {' '.join(str(error).split())[:200]}",
            where=str(folder / ESTIMATOR),
            hint=f"it was written with {_written_with(record)}; train the model again, or restore the folder",
        ) from error
    return LoadedModel(
        estimator, record["metadata"], record["libraries"], folder_sha256(contents), _card(contents, folder)
    )


def loaded_record(contents: Mapping[str, bytes], folder: Path) -> dict[str, Any]:
    """Return what ``model.json`` says: its format, libraries and metadata.

    Raises
    ------
    ContractError
        If it is no such document.
    """
    where = str(folder / RECORD)
    try:
        record = strict_json(contents[RECORD])
    except ValueError as error:
        raise ContractError(f"the file is not JSON: {error}", where=where) from error
    written = record.get("format") if isinstance(record, dict) else None
    if type(written) is not int or written not in _READABLE:
        raise ContractError(f"this release reads the model formats {_READABLE[0]} to {_FORMAT} only", where=where)
    libraries = record.get("libraries")
    if not isinstance(record.get("metadata"), dict) or not isinstance(libraries, dict):
        raise ContractError("the file does not say what the model is", where=where)
    if not all(isinstance(each, str) for each in libraries.values()):
        raise ContractError("the file does not say which libraries wrote the model", where=where)
    found: dict[str, Any] = record
    return found


def _written_with(record: Mapping[str, Any]) -> str:
    named = ("scikit-learn", "numpy", "skops")
    return ", ".join(f"{name} {record['libraries'][name][:20]}" for name in named if name in record["libraries"])


def _card(contents: Mapping[str, bytes], folder: Path) -> str | None:
    try:
        return contents[CARD].decode() if CARD in contents else None
    except UnicodeDecodeError as error:
        raise ContractError("the card is not text in UTF-8", where=str(folder / CARD)) from error


def checked_contents(
    folder: Path, expected_sha256: str | None = None, *, beside: Sequence[str] = ()
) -> dict[str, bytes]:
    """Return the files of a model's folder, by name, after their hash was compared.

    What is hashed is what is returned: every file is read once.

    Parameters
    ----------
    folder : Path
        Written by ``save_model``.
    expected_sha256 : str, optional
        What the folder must hash to.
    beside : sequence of str, optional
        Files in the folder that are not the model's: the manifest of an exported one, which holds the hash.

    Raises
    ------
    NotFoundError
        If there is no model.
    ContractError
        If the hash differs, or the folder holds what no model's does: other names, links, pipes.
    """
    if not all(os.path.lexists(folder / name) for name in (ESTIMATOR, RECORD)):
        raise NotFoundError("there is no model here", where=str(folder), hint="radzoo models list")
    contents = model_files(folder, beside=beside)
    sha256 = folder_sha256(contents)
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise ContractError(
            f"the model's files changed after they were saved: sha256 {sha256}, expected {expected_sha256}",
            where=str(folder),
            hint=RESTORE,
        )
    return contents


def _estimator_files(estimator: BaseEstimator, folder: Path, types: frozenset[str]) -> tuple[bytes, dict[str, bytes]]:
    """Return the estimator's archive, and its networks' weights by the names of their files."""
    skops = skops_io()
    from skops.io.exceptions import UnsupportedTypeException

    try:
        dumped = skops.dumps(estimator)
    except UnsupportedTypeException as error:
        raise ContractError(f"the estimator cannot be stored: {error}", where=str(folder)) from error
    archive, weights = canonical_archive(dumped)
    # What could not be loaded again is not saved.
    checked_archive(archive, weights, folder, finite=False, types=types)
    for name, content in {ESTIMATOR: archive, **weights}.items():
        refuse_large_file(name, len(content), str(folder / name))
    return archive, weights


def _record_bytes(metadata: Mapping[str, JsonValue], folder: Path, libraries: Sequence[str]) -> bytes:
    package = recorded_package(metadata, str(folder / RECORD))
    record = {
        "format": _FORMAT,
        "libraries": {library: installed_version(library) for library in libraries}
        | ({} if package is None else {package.name: package.version}),
        "metadata": dict(metadata),
    }
    try:
        text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ContractError(f"the metadata are not JSON: {error}", where=str(folder / RECORD)) from error
    return f"{text}\n".encode()


def folder_sha256(contents: Mapping[str, bytes]) -> str:
    """Return the hash of a folder's files: names and contents, the card's too."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        # Lengths keep a byte from moving unnoticed between a name, a file and its neighbour.
        for part in (name.encode(), contents[name]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()
