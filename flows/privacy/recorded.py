"""A study as its store keeps it: without a path, and with pseudonyms where its file names patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from flows.privacy.identities import Identities
from schemas.study.file import Study
from schemas.study.path_patterns import pattern_parts

__all__ = ["KEY_MARK", "NOT_KEPT", "recorded_fingerprint", "recorded_study", "study_paths"]

NOT_KEPT = "not-kept"
"""Stands for every path."""
KEY_MARK = "fingerprint:"
"""Stands before what is kept of a key: whether another one is the same."""


def study_paths(study: Study) -> dict[str, str]:
    """Return the paths of a study file by their keys, such as ``phases.AP.image``, but for those of key and map."""
    return {".".join(keys): path for keys, path in _paths(study)}


def _paths(study: Study) -> Iterator[tuple[tuple[str, ...], str]]:
    yield ("cohort", "table"), study.cohort.table
    if study.clinical.table is not None:
        yield ("clinical", "table"), study.clinical.table
    if study.exams is not None and study.exams.table is not None:
        yield ("exams", "table"), study.exams.table
    if study.findings is not None and study.findings.table is not None:
        yield ("findings", "table"), study.findings.table
    if study.findings is not None:
        for reader, table in study.findings.tables.items():
            yield ("findings", "tables", reader), table
    for name, phase in study.phases.items():
        yield ("phases", name, "image"), phase.image
        yield ("phases", name, "mask"), phase.mask
    for name, imported in study.imported.items():
        yield ("imported", name, "table"), imported.table
    for name, own in study.define.items():
        if own.network is not None:
            yield ("define", name, "network", "file"), own.network.file


def recorded_study(study: Study, identities: Identities) -> Study:
    """Return a study as it goes on record; one without ``[privacy]`` as it is.

    Paths are left out, and UIDs of DICOM. Of the key its fingerprint stays.

    Parameters
    ----------
    study : Study
        The study, its ``same_person`` of pseudonyms already.
    identities : Identities
        Who its patients are in the store.
    """
    if study.privacy is None:
        return study
    document = study.model_dump(mode="json")
    # Where images come from before they are ingested: paths alone, which no reader of the store needs.
    document.pop("drop", None)
    for keys, path in _paths(study):
        _put(document, keys, _left_of(path, keys[0]))
    for phase in document["phases"].values():
        if (phase.get("series") or {}).get("uid") is not None:
            phase["series"]["uid"] = None
    document["privacy"] |= {
        "key": None if identities.fingerprint is None else f"{KEY_MARK}{identities.fingerprint}",
        "map": None if study.privacy.map is None else NOT_KEPT,
    }
    return Study.model_validate(document)


def _left_of(path: str, table: str) -> str:
    """Return what stays of a path: the fields of a pattern, and of a network's file the end, which says what it is."""
    if table == "phases":
        return "/".join([NOT_KEPT, *(f"{{{text}}}" for text, is_field in pattern_parts(path) if is_field)])
    return NOT_KEPT + (PurePath(path).suffix if table == "define" else "")


def _put(document: dict[str, Any], keys: tuple[str, ...], value: str) -> None:
    inner: dict[str, Any] = document
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value


def recorded_fingerprint(definition: Mapping[str, Any]) -> str | None:
    """Return the fingerprint of the key of a study on record, None where it has none."""
    key = (definition.get("privacy") or {}).get("key") or ""
    return key.removeprefix(KEY_MARK) if key.startswith(KEY_MARK) else None
