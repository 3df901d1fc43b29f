"""The receipt of an erasure, as the catalogue keeps it in JSON: what was taken out, and what stays; not of whom."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

__all__ = ["ChangedDataset", "ChangedText", "ErasureReceipt", "FrozenSplit", "RemovedRows", "RewrittenFile"]


class RemovedRows(TypedDict):
    """How many rows of a table were removed."""

    table: str
    rows: int


class ChangedText(TypedDict):
    """How many texts of a column, ``table.column``, named the patient."""

    column: str
    rows: int


class RewrittenFile(TypedDict):
    """A segment or dataset that was written again without the patient; where nothing was left of it, no new one."""

    path: str
    sha256: str
    new_path: str | None
    new_sha256: str | None
    patients: NotRequired[int]
    """Of a dataset: how many are left."""
    trained: NotRequired[bool]
    """Of a dataset: whether the patient was among those who train."""


class ChangedDataset(TypedDict):
    """A dataset whose file is another now."""

    dataset_id: str
    study: str
    sha256_before: str
    sha256: str
    patients_before: int
    patients: int


class FrozenSplit(TypedDict):
    """A split that the patient was in; its hash stays."""

    study: str
    split: str
    sha256: str


class ErasureReceipt(TypedDict):
    """What an erasure did. Its version is the store's format at the time, ``store_format``."""

    erasure_id: str
    erased_at: str
    """When rows were taken out last."""
    finished_at: NotRequired[str]
    author: str
    status: Literal["unfinished", "finished"]
    store_format: int
    patient_sha256: str
    rows_removed: list[RemovedRows]
    texts_changed: list[ChangedText]
    extractions_removed: int
    extractions_kept_for_others: int
    files_rewritten: list[RewrittenFile]
    files_removed: list[str]
    missing_files: list[str]
    """Those of the patient's files that were not there."""
    datasets: list[ChangedDataset]
    models_marked: list[str]
    splits: list[FrozenSplit]
    staged_removed: int
    pages_removed: int
    pending: NotRequired[list[str]]
    """Files that are still to be removed, while it is unfinished."""
    what_stays: list[str]
