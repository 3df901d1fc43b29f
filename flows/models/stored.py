"""Trained models as people look at them: listed, shown, exported, explained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from flows.models.words import dataset_words
from schemas.documents.model_record import ModelManifest
from schemas.errors import NotFoundError, UsageError
from schemas.foreign_text import markdown_text
from store.history.snapshot import Snapshot, refuse_unknown_study
from store.home import Store
from store.planning.models_read import model_states
from zoo.saving.folders import MANIFEST, local_model_folder, recorded_base, version_key
from zoo.saving.persist import checked_contents, load_model

__all__ = [
    "ExportedModel",
    "ListedModel",
    "ShownModel",
    "export_model",
    "importance_rows",
    "listed_models",
    "model_card_text",
    "shown_model",
]


@dataclass(frozen=True)
class ListedModel:
    """A line of the list of models."""

    model: str
    version: int
    study: str
    base: str
    """The zoo's member that it was built from; of a variant another name than its own."""
    dataset: str
    trained_at: str
    validation_auc: float | None
    """From the holdout suite; None where this version was not judged."""
    mark: str | None
    is_stale: bool | None
    """Whether what it reads has changed since it was trained; None where that is not known."""
    stale_because: tuple[str, ...]
    """The parts that differ: patients, clinical, features, settings, libraries."""


@dataclass(frozen=True)
class ShownModel:
    """A model with what it learned and how it did."""

    study: str
    model: str
    version: int
    mark: str | None
    trained_at: str
    dataset: Mapping[str, Any]
    threshold: float
    path: str
    sha256: str
    versions: Mapping[str, str]
    summary: Mapping[str, Any]
    metrics: tuple[Mapping[str, Any], ...]
    reads: str = ""
    """What its columns are, in words."""
    base: str | None = None
    """The zoo's member that a variant is built from; None where it is none."""


@dataclass(frozen=True)
class ExportedModel:
    """A folder that was written."""

    folder: Path
    model: str
    study: str
    version: int
    sha256: str
    mark: str | None


def listed_models(snapshot: Snapshot, study: str | None = None) -> list[ListedModel]:
    """Return every version of every model, by study, model and version.

    Raises
    ------
    NotFoundError
        When a study is named that the store does not have.
    """
    if study is not None:
        refuse_unknown_study(snapshot, study)
    scope = {"study": study} if study else {}
    aucs = {
        (row["study"], row["model"], row["version"]): row["auc"]
        for row in snapshot.rows("leaderboard", suite="holdout", cohort="validation", **scope)
    }
    states = {each[:3]: each for each in model_states(snapshot)}
    rows = sorted(snapshot.rows("models", **scope), key=lambda row: (row["study"], row["model"], row["version"]))
    return [
        ListedModel(
            model=row["model"],
            version=row["version"],
            study=row["study"],
            base=recorded_base(row) or row["model"],
            dataset=row["dataset_id"],
            trained_at=row["trained_at"],
            validation_auc=aucs.get((row["study"], row["model"], row["version"])),
            mark=row["mark"],
            is_stale=state.is_stale,
            stale_because=state.because,
        )
        for row in rows
        for state in [states[row["study"], row["model"], row["version"]]]
    ]


def shown_model(snapshot: Snapshot, row: Mapping[str, Any]) -> ShownModel:
    """Return what the catalogue knows of a model."""
    named = version_key(row)
    hidden = {"study", "model", "version", "added_commit"}
    (dataset,) = snapshot.rows("datasets", dataset_id=row["dataset_id"]) or ({"dataset_id": row["dataset_id"]},)
    return ShownModel(
        **named,
        mark=row["mark"],
        trained_at=row["trained_at"],
        dataset={name: value for name, value in dataset.items() if name != "added_commit"}
        | ({"inputs": json.loads(dataset["inputs"])} if "inputs" in dataset else {}),
        threshold=row["threshold"],
        path=row["path"],
        sha256=row["sha256"],
        versions=json.loads(row["versions"]),
        summary=json.loads(row["summary"]),
        metrics=tuple(
            {name: value for name, value in each.items() if name not in hidden}
            for each in snapshot.rows("leaderboard", **named)
            if each["suite"] != "bootstrap"  # figures of fits to resamples, not of this one
        ),
        reads=dataset_words(snapshot, dataset) if "inputs" in dataset else "",
        base=recorded_base(row),
    )


def model_card_text(snapshot: Snapshot, row: Mapping[str, Any]) -> str:
    """Return a model's card, after its folder's hash was compared; a mark stands before it.

    Raises
    ------
    NotFoundError
        If the model was saved before models had cards.
    ContractError
        If the folder is not what the catalogue has on record.
    """
    card = load_model(local_model_folder(snapshot.store, row), row["sha256"]).card
    if card is None:
        raise NotFoundError(
            f"{row['model']}@{row['version']} was saved by an older release, without a card",
            where=str(row["path"]),
            hint=f"radzoo models show {row['study']}/{row['model']}@{row['version']}",
        )
    return f"> Marked: {markdown_text(row['mark'])}\n\n{card}" if row["mark"] is not None else card


def export_model(store: Store, row: Mapping[str, Any], folder: Path) -> ExportedModel:
    """Copy a model's folder out of the store, with a manifest that tells whether it was changed since.

    The manifest holds the hash of the folder, the catalogue's own, that of each file, the model's mark, and a hash of
    all of these; it is no signature: whoever changes everything is found out by comparing the hash with the one that
    was exported.

    Raises
    ------
    UsageError
        If there is something in the folder already.
    ContractError
        If the model's folder is not what the catalogue has on record.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("there is something here already", where=str(folder), hint="name a new or empty folder")
    contents = checked_contents(local_model_folder(store, row), row["sha256"])
    manifest = ModelManifest(
        study=row["study"],
        model=row["model"],
        version=row["version"],
        sha256=row["sha256"],
        mark=row["mark"],
        trained_at=row["trained_at"],
        files={name: sha256(content).hexdigest() for name, content in sorted(contents.items())},
    ).sealed()
    unfinished = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        for name, content in contents.items():
            (unfinished / name).write_bytes(content)
        (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return ExportedModel(folder, row["model"], row["study"], row["version"], row["sha256"], row["mark"])


def importance_rows(snapshot: Snapshot, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the importances of a model's features: by kind, the largest first."""
    rows = snapshot.rows("importances", study=row["study"], model=row["model"], version=row["version"])
    columns = ("kind", "feature", "value", "lower", "upper")
    ordered = sorted(rows, key=lambda each: (each["kind"], -abs(each["value"]), each["feature"]))
    return [{name: each[name] for name in columns} for each in ordered]
