"""Plans: what a refresh would bring is put into a copy of the catalogue, and SQL says there which models are stale."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flows.plans.estimates import estimates
from flows.plans.plan import Plan, PlannedSet, StaleDataset, StaleModel, StaleReport
from flows.refresh.feature_sets import bound_feature_sets, requested_feature_sets
from flows.refresh.plan import RefreshPlan, refresh_plan
from schemas.errors import ContractError, NotFoundError
from schemas.study.file import Study
from store.commits.commit import commit_to
from store.commits.writer import lacking
from store.history.changes import study_changed_since
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.planning.models_read import ModelState, model_states
from store.planning.rehearsal import RehearsalStore, rehearsal

__all__ = ["plan_of_refresh", "plan_within"]

_OF_DATA = {"patients", "clinical", "features"}
_MADE_FROM = re.compile(rb"Made by radzoo from commit (\d+) of the store")
_PLANNED = "planned"
"""Stands for the segment of rows that are not computed."""

Row = dict[str, Any]


def plan_of_refresh(
    store: Store, study: Study | str | None, *, feature_set: str | None = None, retry_failed: bool = False
) -> Plan:
    """Return what would follow from a refresh; nothing is written.

    Parameters
    ----------
    store : Store
        The store.
    study : Study or str or None
        The study, its id, or None where the store has one study.
    feature_set : str, optional
        Only this one of the study's feature sets.
    retry_failed : bool
        Compute again what failed before on the same image and mask.
    """
    before = Snapshot(store)
    with rehearsal(store, store.root) as copy:
        return plan_within(copy, before, study, store.root, feature_set=feature_set, retry_failed=retry_failed)


def plan_within(
    copy: RehearsalStore,
    before: Snapshot | None,
    study: Study | str | None,
    root: Path,
    *,
    feature_set: str | None = None,
    retry_failed: bool = False,
) -> Plan:
    """Return what would follow from a refresh of a copy of a store, in which something may have been changed.

    An extraction's id follows from what goes into it: the copy gets the rows that would be computed without their
    values, as if none failed.

    Parameters
    ----------
    copy : RehearsalStore
        The copy; it is changed.
    before : Snapshot or None
        The store itself; None where there is none yet.
    study : Study or str or None
        The study, its id, or None where the store has one study.
    root : Path
        The store's folder, where reports lie.
    feature_set : str, optional
        Only this one of the study's feature sets.
    retry_failed : bool
        Compute again what failed before on the same image and mask.
    """
    asked = stored_study(Snapshot(copy), study)
    notes: list[str] = []
    sets: list[PlannedSet] = []
    of_networks: set[str] = set()
    try:
        for bound in bound_feature_sets(asked, Snapshot(copy), feature_set):
            planned = refresh_plan(Snapshot(copy), asked.id, bound, retry_failed=retry_failed)
            _rehearse(copy, asked.id, planned)
            sets.append(PlannedSet(bound.feature_set, len(planned.missing), len(planned.reused) + len(planned.staged)))
        for network in _network_sets(copy, asked, feature_set, retry_failed=retry_failed):
            sets.append(network)
            of_networks |= {network.feature_set} if network.computed or network.reused else set()
    except (ContractError, NotFoundError) as error:
        # A refresh would say it too; what an ingest does is not less true for it.
        notes.append(f"refresh would refuse: {error.message}")
    after = Snapshot(copy)
    known = {} if before is None else {each[:3]: each.is_stale for each in model_states(before)}
    states = list(_with_network_sets(after, model_states(after), of_networks))
    models, untold = _stale_models(after, states, known)
    untrained = _untrained_models(after, asked)
    return Plan(
        study=asked.id,
        sets=tuple(sets),
        models=tuple(models),
        untrained=tuple(untrained),
        untold=tuple(untold),
        datasets=tuple(_stale_datasets(after, models)),
        reports=tuple(_stale_reports(after, root, asked.id)),
        estimates=estimates(before, asked.id, sets, models, untrained),
        notes=tuple(notes),
    )


def _rehearse(copy: RehearsalStore, study: str, planned: RefreshPlan) -> None:
    bound = planned.bound
    own = {"study": study, "feature_set": bound.feature_set}
    arriving = {each.extraction_id: each for each in (*planned.staged, *planned.missing)}
    current = (*planned.unchanged, *planned.reused, *arriving.values())
    with commit_to(copy, f"refresh {study} {bound.feature_set}", basis=None) as commit:
        commit.put("feature_sets", [bound.catalogue_row()])
        commit.put("features", bound.dictionary_rows(), replacing={"feature_set": bound.feature_set})
        rows = [
            {
                "feature_set": bound.feature_set,
                "extraction_id": identity,
                "image_sha256": arriving[identity].image_sha256,
                "mask_sha256": arriving[identity].mask_sha256,
                "context_sha256": arriving[identity].context_sha256,
                "segment_id": _PLANNED,
            }
            for identity in lacking(commit, bound.feature_set, arriving)
        ]
        commit.put("extractions", rows)
        links = [own | {"extraction_id": each.extraction_id} for each in current]
        commit.put("study_extractions", links, replacing=own)


def _network_sets(
    copy: RehearsalStore, study: Study, feature_set: str | None, *, retry_failed: bool
) -> Iterator[PlannedSet]:
    """Yield what sets would bring that networks make of regions, of those regions too that are only planned."""
    for ref in requested_feature_sets(study, feature_set):
        if study.is_of_network(str(ref)):
            # Imported here: PyTorch takes seconds, and only these sets need it.
            from flows.refresh.network_sets import refresh_network_set

            found = refresh_network_set(copy, study, ref, dry_run=True, retry_failed=retry_failed)
            yield PlannedSet(found.feature_set, found.computed, found.reused)


def _with_network_sets(snapshot: Snapshot, states: Iterable[ModelState], changed: set[str]) -> Iterator[ModelState]:
    """Yield the states, with the features of networks' sets changed that would get rows: these are not rehearsed."""
    names = {name for each in changed for name in (each, each.partition("@")[0])}
    reads = {
        (row["study"], row["dataset_id"])
        for row in (snapshot.rows("datasets") if changed else ())
        if any(f'"feature_set":"{name}"' in row["inputs"] for name in names)
    }
    of_models = {
        (row["study"], row["model"], row["version"]): (row["study"], row["dataset_id"])
        for row in (snapshot.rows("models") if reads else ())
    }
    for each in states:
        if of_models.get(each[:3]) in reads and "features" not in each.because:
            yield each._replace(is_stale=True, because=(*each.because, "features"))
        else:
            yield each


def _stale_models(
    snapshot: Snapshot, states: Iterable[ModelState], known: dict[tuple[str, str, int], bool | None]
) -> tuple[list[StaleModel], list[str]]:
    """Return the models of the studies' files of which no version is of what the store has, and those nobody knows."""
    versions: defaultdict[tuple[str, str], list[ModelState]] = defaultdict(list)
    for each in states:
        versions[each.study, each.model].append(each)
    named = {
        (row["study"], model)
        for row in snapshot.rows("studies")
        for model in Study.model_validate_json(row["definition"]).models
    }
    stale, untold = [], []
    for key, found in versions.items():
        if key not in named or any(each.is_stale is False for each in found):
            continue
        newest = max(found, key=lambda each: each.version)
        if newest.is_stale is None:
            untold.append("/".join(key))
            continue
        was_stale = all(known.get(each[:3]) is not False for each in found)
        stale.append(StaleModel(*newest[:3], because=newest.because, is_stale_already=was_stale))
    return stale, untold


def _untrained_models(snapshot: Snapshot, study: Study) -> list[str]:
    """Return the models of a study's file of which there is no version, but for those that could not be fitted."""
    trained = set(snapshot.column("models", "model", study=study.id))
    unfit = {row["feature"] for row in snapshot.rows("failures", stage="train", study=study.id)}
    return [model for model in study.models if model not in trained | unfit]


def _stale_datasets(snapshot: Snapshot, models: Iterable[StaleModel]) -> Iterator[StaleDataset]:
    """Yield the datasets whose rows would be others: settings and libraries change a model and no table."""
    of_dataset: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for each in models:
        if _OF_DATA & set(each.because):
            row = snapshot.row("models", study=each.study, model=each.model, version=each.version)
            of_dataset[row["dataset_id"], each.study].append(each.model)
    for (dataset_id, study), names in of_dataset.items():
        yield StaleDataset(dataset_id, study, tuple(names))


def _stale_reports(snapshot: Snapshot, root: Path, study: str) -> Sequence[StaleReport]:
    file = root / "report" / f"{study}.html"
    if not file.is_file():
        return []
    made_from = _MADE_FROM.search(file.read_bytes())
    if made_from is None or not study_changed_since(snapshot, int(made_from[1]), study):
        return []
    return [StaleReport(study, file, int(made_from[1]))]
