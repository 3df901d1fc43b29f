"""Embed: a network's features of every patient, each from a network that was not trained on the patient."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.bench.cross_validate import discard_fits, run_fits
from flows.commits.erased_meanwhile import carry_out
from flows.commits.publication import publish_landed
from flows.embed.records import (
    EmbeddingNetwork,
    embedding_network,
    out_of_fold_records,
    trained_records,
)
from flows.engine.runners.address import LOCAL, Runner
from flows.lineage.runs import record_run
from flows.train.run import train
from schemas.errors import ContractError
from schemas.keys import canonical_json, sha256_of_json
from schemas.study.file import Study
from store.commits.commit import commit_to
from store.commits.writer import append_records
from store.dictionary.versions import version_of
from store.history.basis import Basis
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.rows.segments import write_embeddings
from zoo.benchmark.cross_validation import plan_cross_validation, split_cohorts, split_labels
from zoo.benchmark.folds import repeated_folds
from zoo.benchmark.nested_cv import refuse_unfit
from zoo.members import embedding_set
from zoo.models.training import RANDOM_STATE, library_versions
from zoo.registry import study_spec
from zoo.tables.embedding_columns import EMBEDDING
from zoo.tables.persons import study_people

__all__ = ["FOLDS", "EmbedReport", "embed"]

FOLDS = 5
"""Parts of the training cohort: each is embedded by a network that was trained on the others."""

Row = dict[str, Any]


@dataclass(frozen=True)
class EmbedReport:
    """What embedding did for one network."""

    study: str
    model: str
    feature_set: str
    size: int
    """Numbers of an embedding."""
    phases: tuple[str, ...]
    out_of_fold: int
    """Training patients, embedded by a network of the other folds."""
    held_out: int
    """Patients outside the training cohort, embedded by the trained model."""
    in_training: int
    """Training patients embedded by the trained model too, where that was asked for."""
    commit_id: int | None
    """None where the store had all of it."""


def embed(
    store: Store,
    model: str,
    study: str | None = None,
    *,
    folds: int = FOLDS,
    in_training: bool = False,
    workers: int | None = None,
    runner: Runner = LOCAL,
) -> EmbedReport:
    """Put a network's embeddings of a study's patients into the store and return what was done.

    A training patient is embedded out of fold, by a network that was trained on the other folds of the training
    cohort; every other patient by the trained model. So no embedding is of a patient whose label its network saw,
    and models may learn from them. What is there for just these inputs is not made again.

    Parameters
    ----------
    store : Store
        The store.
    model : str
        A model of the zoo that reads regions only.
    study : str, optional
        The study's id; may be left out where the store has one study.
    folds : int
        Parts of the training cohort.
    in_training : bool
        Also keep the trained model's embeddings of its own training patients. They carry the labels: they can be
        looked at, and every model that would learn from them is refused.
    workers : int, optional
        Worker processes.
    runner : Runner
        Where the networks of the folds are trained; the one that embeds all others is trained on this machine.

    Raises
    ------
    ContractError
        When the model is no network of regions, or its phases have one embedding together.
    """

    def work(basis: Basis) -> EmbedReport:
        return _embed(store, model, study, basis, folds=folds, in_training=in_training, workers=workers, runner=runner)

    return carry_out(store, work)


def _embed(
    store: Store,
    model: str,
    study: str | None,
    basis: Basis,
    *,
    folds: int,
    in_training: bool,
    workers: int | None,
    runner: Runner,
) -> EmbedReport:
    asked = stored_study(Snapshot(store), study)
    if study_spec(asked, model).inputs != ("regions",):
        raise ContractError(
            f"'{model}' is no network that reads regions alone, so it has no embeddings",
            hint="radzoo embed dl_resnet10, or another network of the zoo",
        )
    (trained,) = train(store, asked.id, [model])
    if trained.failure is not None:
        raise ContractError(trained.failure, hint=trained.hint)
    snapshot = Snapshot(store)
    asked = stored_study(snapshot, asked.id)
    network = embedding_network(snapshot, asked, model)
    labels = {
        patient: label
        for patient, label in split_labels(snapshot, asked, network.inputs.split).items()
        if split_cohorts(snapshot, asked, network.inputs.split)[patient] == "training"
    }
    drawn = repeated_folds(
        labels, repeats=1, folds=folds, seed=RANDOM_STATE, person_of=study_people(snapshot, asked).person
    )
    split = network.inputs.split
    planned = plan_cross_validation(
        snapshot, asked, [model], labels={split: labels}, folds={split: drawn}, with_thresholds=False, embeds=True
    )
    decided_by = sha256_of_json([planned.sha256, in_training])
    definition = _definition(snapshot, asked, network, folds)
    definition_sha256 = sha256_of_json(definition)
    feature_set, version = _bound(snapshot, model, definition)
    if known := _known_report(snapshot, asked.id, model, feature_set, decided_by):
        return known
    parameters = {"model": model, "folds": folds, "in_training": in_training, "decided_by": decided_by}
    with record_run(store, "embed", asked.id, parameters) as run:
        results = run_fits(store, asked, f"embedding by {model}", planned, workers, runner)
        refuse_unfit(model, planned, results)
        records = [
            *out_of_fold_records(snapshot, asked, network, planned, results, definition_sha256),
            *trained_records(snapshot, asked, network, definition_sha256, in_training=in_training),
        ]
        size = len(records[0].embedding)
        own = {"study": asked.id, "feature_set": feature_set}
        with commit_to(store, f"embed {asked.id}: {feature_set}", basis=basis, run_id=run.run_id) as commit:
            commit.put("feature_sets", [_catalogue_row(feature_set, version, model, size, definition)])
            append_records(
                commit, feature_set, records, lambda new: write_embeddings(store.segments, feature_set, size, new)
            )
            links = [own | {"extraction_id": record.extraction_id} for record in records]
            commit.put("study_extractions", links, replacing=own)
        discard_fits(store, asked, planned)
        seen = {
            "phases": sorted({record.key.phase for record in records}),
            "size": size,
            "out_of_fold": len({r.key.patient for r in records if r.fold is not None}),
            "held_out": len({r.key.patient for r in records if r.fold is None and not r.in_training}),
            "in_training": len({r.key.patient for r in records if r.in_training}),
        }
        run.summary |= seen | {"feature_set": feature_set, "runner": str(runner)}
    if commit.landed_id is not None:
        publish_landed(store)
    return _report(asked.id, model, feature_set, seen, commit.landed_id)


def _definition(snapshot: Snapshot, study: Study, network: EmbeddingNetwork, folds: int) -> dict[str, Any]:
    """Return what decides the numbers beside the patients: the network, what it reads, and how it is trained."""
    settings = study.settings_of(network.model).network
    return {
        "kind": EMBEDDING,
        "model": network.model,
        "network": None if settings is None else settings.model_dump(mode="json"),
        "regions": snapshot.row("feature_sets", feature_set=network.regions)["definition_sha256"],
        "phases": list(network.inputs.phases),
        "folds": folds,
        "libraries": library_versions(study_spec(study, network.model)),
        # Without weights a definition is what it was before there were any.
        **({"censoring": "weights"} if study.weighs_the_censored(network.model) else {}),
    }


def _bound(snapshot: Snapshot, model: str, definition: Mapping[str, Any]) -> tuple[str, int]:
    name, digest = embedding_set(model), sha256_of_json(dict(definition))
    version = version_of(digest, snapshot.rows("feature_sets", name=name))
    return f"{name}@{version}", version


def _catalogue_row(feature_set: str, version: int, model: str, size: int, definition: Mapping[str, Any]) -> Row:
    return {
        "feature_set": feature_set,
        "name": embedding_set(model),
        "version": version,
        "kind": EMBEDDING,
        "features": size,
        "description": f"what the trunk of {model} makes of each phase, by networks that were not trained on the "
        "patient unless in_training says so",
        "definition": canonical_json(dict(definition)),
        "definition_sha256": sha256_of_json(dict(definition)),
    }


def _known_report(snapshot: Snapshot, study: str, model: str, feature_set: str, decided_by: str) -> EmbedReport | None:
    """Return what a former run did that was decided by just this, and whose rows are still the study's."""
    runs = [row for row in snapshot.arrow("runs").to_pylist() if (row["flow"], row["study"]) == ("embed", study)]
    for row in sorted(runs, key=lambda each: each["started_at"], reverse=True):
        parameters = json.loads(row["parameters"])
        if parameters["model"] != model or row["status"] != "done":
            continue
        summary = json.loads(row["summary"] or "{}")
        is_same = parameters["decided_by"] == decided_by and summary.get("feature_set") == feature_set
        there = snapshot.rows("study_extractions", study=study, feature_set=feature_set)
        return _report(study, model, feature_set, summary, None) if is_same and there else None
    return None


def _report(study: str, model: str, feature_set: str, seen: Mapping[str, Any], commit_id: int | None) -> EmbedReport:
    return EmbedReport(
        study=study,
        model=model,
        feature_set=feature_set,
        size=seen["size"],
        phases=tuple(seen["phases"]),
        out_of_fold=seen["out_of_fold"],
        held_out=seen["held_out"],
        in_training=seen["in_training"],
        commit_id=commit_id,
    )
