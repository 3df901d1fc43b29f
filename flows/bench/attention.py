"""Attention of a network: pictures of chosen patients and their numbers, and the rows that bench keeps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flows.engine.pool import worker_pool
from flows.engine.progress import progress_bar
from schemas.errors import UsageError
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.registry import recorded_spec
from zoo.saving.folders import version_key

__all__ = ["ExplainedPatient", "PictureFormat", "example_rows", "explain_patients", "shown_rows"]

Row = dict[str, Any]
PictureFormat = Literal["png", "svg"]

_SHOWN = (
    *("patient", "phase", "energy_inside", "area_inside", "energy_margin", "area_margin"),
    *("insertion_auc", "deletion_auc"),
)


@dataclass(frozen=True)
class ExplainedPatient:
    """Where a network finds what speaks for label 1 in one patient."""

    patient: str
    cohort: str
    label: int
    probability: float
    feature_set: str
    """The regions that were read."""
    margin_mm: float
    phases: tuple[Row, ...]
    """Numbers of each phase's map."""
    file: str | None
    """The picture; None where none was asked for."""


def shown_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return rows of ``attention`` with the columns that people compare."""
    return [{name: row[name] for name in _SHOWN} for row in rows]


def example_rows(snapshot: Snapshot, models: Sequence[Mapping[str, Any]], *, workers: int | None = None) -> list[Row]:
    """Return rows of ``attention`` for the example patients of those models that are networks.

    They are computed once a version; each network that lacks them in a process of its own.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    models : sequence of mapping
        Rows of ``models``.
    workers : int, optional
        Worker processes; as many as the machine has cores where absent.
    """
    networks = [dict(row) for row in models if recorded_spec(row).is_network]
    known = [snapshot.rows("attention", **version_key(row)) for row in networks]
    missing = [row for row, rows in zip(networks, known, strict=True) if not rows]
    found = [each for rows in known for each in rows]
    if missing:
        root, commit_id = snapshot.store.root, snapshot.commit_id
        with (
            progress_bar("looking where networks look", len(missing), "networks") as advance,
            worker_pool(min(workers or os.cpu_count() or 1, len(missing)), networks=True) as pool,
        ):
            for done in as_completed([pool.submit(_computed_rows, root, commit_id, row) for row in missing]):
                found += done.result()
                advance(1)
    return found


def _computed_rows(root: Path, commit_id: int, row: Mapping[str, Any]) -> list[Row]:
    """Return a network's rows, in a worker process."""
    # Imported here: PyTorch takes seconds, and only networks need it.
    from zoo.attention.stored import example_attention

    return example_attention(Snapshot(Store(root), commit_id), row)


def explain_patients(
    snapshot: Snapshot,
    row: Mapping[str, Any],
    patients: Sequence[str],
    out: Path | None = None,
    picture: PictureFormat = "png",
) -> list[ExplainedPatient]:
    """Write pictures of a network's class activation maps for patients of its dataset and return what they say.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    row : mapping
        The model's row of the catalogue.
    patients : sequence of str
        Pseudonyms.
    out : Path, optional
        The folder for the pictures, ``PATIENT.png``; none are written where it is absent.
    picture : {"png", "svg"}
        Their format.

    Raises
    ------
    UsageError
        If ``out`` is a file.
    NotFoundError
        If a patient is not in the model's dataset.
    """
    from zoo.attention.panels import write_attention
    from zoo.attention.stored import stored_attention

    if out is not None and out.exists() and not out.is_dir():
        raise UsageError(f"'{out}' is a file", hint=f"--out {out.with_suffix('')}")
    found = []
    for patient in dict.fromkeys(patients):
        attention = stored_attention(snapshot, row, patient)
        first, file = attention.rows[0], None
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            title = (
                f"{patient}, {first['cohort']}, label {first['label']}: probability {attention.probability:.2f} "
                f"by {row['model']}@{row['version']}"
            )
            file = str(write_attention(attention.panels, out / f"{patient}.{picture}", title))
        found.append(
            ExplainedPatient(
                patient=patient,
                cohort=first["cohort"],
                label=first["label"],
                probability=attention.probability,
                feature_set=first["feature_set"],
                margin_mm=first["margin_mm"],
                phases=tuple({name: each[name] for name in _SHOWN if name != "patient"} for each in attention.rows),
                file=file,
            )
        )
    return found
