"""Refresh: compute what a study's feature sets lack, once, and commit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.commits.erased_meanwhile import carry_out
from flows.commits.publication import publish_at_end
from flows.engine.progress import progress_bar, say
from flows.engine.runners.address import LOCAL, Runner
from flows.engine.runners.cluster import Cluster, pieces_at_once
from flows.engine.runners.opened import opened_cluster
from flows.expect.commits import expectations_of_features, look_at_features
from flows.extract.batch import Receipt
from flows.extract.planned import PlannedExtraction, sources_of
from flows.imaging.sources import file_of_source
from flows.keep.compact import compact_scattered
from flows.lineage.runs import record_run
from flows.privacy.places import folder_of_study, refuse_unplaced
from flows.privacy.reasons import plain_reason
from flows.refresh.failure_counts import failure_counts
from flows.refresh.failure_rows import failure_rows
from flows.refresh.feature_sets import BoundFeatureSet, bound_feature_sets, requested_feature_sets
from flows.refresh.plan import RefreshPlan, refresh_plan
from flows.refresh.report import FeatureSetReport
from flows.refresh.set_descriptions import update_descriptions
from flows.refresh.staged import discard_shared, shared_at_once, shared_staging_of, staging_folder
from schemas.features.sets import FeatureSetRef
from schemas.keys import MaskKey
from schemas.settings import Engine
from schemas.study.file import Study
from schemas.study.intended_use import modality_warnings
from store.commits.commit import Commit, commit_to
from store.commits.writer import lacking
from store.history.basis import Basis, basis_of
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.rows.staging import discard_staged, discard_unfinished

__all__ = ["refresh"]

Row = dict[str, Any]


def refresh(
    store: Store,
    study: Study | str | None = None,
    *,
    feature_set: str | None = None,
    workers: int | None = None,
    dry_run: bool = False,
    retry_failed: bool = False,
    engine: Engine = "fast",
    runner: Runner = LOCAL,
) -> list[FeatureSetReport]:
    """Compute a study's missing extractions and return what was done for each feature set.

    What is in the store is never computed again, whichever study asked for it first; what an
    interrupted run had finished is taken over. With nothing to compute, no workflow engine starts.

    Parameters
    ----------
    store : Store
        The store.
    study : Study or str, optional
        The study's id, which may be left out where the store has one study; or a study that asks for other feature
        sets than the one in the store.
    feature_set : str, optional
        Only this one of the study's feature sets.
    workers : int, optional
        Worker processes; as many as the machine has cores where absent. Of a cluster, how many patients it is given at
        once; two for each place of its workers where absent.
    dry_run : bool
        Plan and count, compute nothing.
    retry_failed : bool
        Compute again what failed before on the same image and mask.
    engine : {'fast', 'pyradiomics'}
        What calculates features: the values are the same.
    runner : Runner
        Where images are read and features calculated. Networks' embeddings are computed on this machine.

    Raises
    ------
    NotFoundError
        When the cluster does not answer or has no worker.
    ContractError
        When one of its workers would compute with another installation.
    """

    def work(basis: Basis) -> list[FeatureSetReport]:
        return _refresh(
            store,
            study,
            feature_set,
            workers,
            basis,
            dry_run=dry_run,
            retry_failed=retry_failed,
            engine=engine,
            runner=runner,
        )

    # A plan writes nothing, and so leaves nothing of who is erased meanwhile.
    return work(basis_of(store)) if dry_run else carry_out(store, work)


def _refresh(
    store: Store,
    study: Study | str | None,
    feature_set: str | None,
    workers: int | None,
    basis: Basis,
    *,
    dry_run: bool,
    retry_failed: bool,
    engine: Engine,
    runner: Runner,
) -> list[FeatureSetReport]:
    snapshot = Snapshot(store)
    asked = stored_study(snapshot, study)
    networks = [ref for ref in requested_feature_sets(asked, feature_set) if asked.is_of_network(str(ref))]
    plans = [
        refresh_plan(snapshot, asked.id, bound, retry_failed=retry_failed)
        for bound in bound_feature_sets(asked, snapshot, feature_set)
    ]
    for warning in modality_warnings(asked, feature_set):
        say(f"warning: {warning}")
    if dry_run:
        reports = [_report(plan, asked.id, [], None) for plan in plans]
        reports += _of_networks(store, asked, networks, dry_run=True, retry_failed=retry_failed)
        expected = expectations_of_features(store, asked)
        return _with_counts([replace(each, expectations=expected) for each in reports], snapshot, asked.id)
    plans = [_taken_over(store, plan) for plan in plans]
    for plan in plans:
        refuse_unplaced(store, asked.id, [file for each in plan.missing for file in sources_of(each)])
        discard_staged(staging_folder(store, plan.bound), plan.leftovers)
        discard_shared(store, plan.bound, plan.leftovers)
        discard_unfinished(staging_folder(store, plan.bound))
    with publish_at_end(store):
        # With nothing to compute, a cluster is not even asked.
        with opened_cluster(runner if any(plan.missing for plan in plans) else LOCAL) as cluster:
            means = _Means(pieces_at_once(cluster, workers), engine, cluster)
            reports = [
                _report(plan, asked.id, [], None)
                if plan.is_current
                else _carry_out_plan(store, asked, plan, means, basis)
                for plan in plans
            ]
        reports += _of_networks(store, asked, networks, dry_run=False, retry_failed=retry_failed)
        update_descriptions(store, asked, [plan.bound for plan in plans if plan.is_current])
        compact_scattered(store, [each.feature_set for each in reports if each.commit_id is not None])
    return _with_counts(reports, Snapshot(store), asked.id)


def _taken_over(store: Store, plan: RefreshPlan) -> RefreshPlan:
    """Return a plan whose staged extractions lie on this machine, those that another one has finished too."""
    wanted = {each.extraction_id for each in plan.staged}
    return plan.with_staged(shared_staging_of(store, plan.bound).take_over(wanted)) if wanted else plan


def _with_counts(reports: Sequence[FeatureSetReport], snapshot: Snapshot, study: str) -> list[FeatureSetReport]:
    """Return reports with what the table of failures says beside the extractions that failed."""
    counts = failure_counts(snapshot, study)
    return [
        replace(
            each,
            refused=counts.refused,
            single_values=counts.single_values[each.feature_set],
            left_out=counts.left_out,
        )
        for each in reports
    ]


def _of_networks(
    store: Store, study: Study, networks: Sequence[FeatureSetRef], *, dry_run: bool, retry_failed: bool
) -> list[FeatureSetReport]:
    """Return what was done for the sets that networks make of regions, which are there by now."""
    if not networks:
        return []
    # Imported here: PyTorch takes seconds, and only these sets need it.
    from flows.refresh.network_sets import refresh_network_set

    return [refresh_network_set(store, study, ref, dry_run=dry_run, retry_failed=retry_failed) for ref in networks]


@dataclass(frozen=True)
class _Means:
    """What computes: no part of what is computed."""

    workers: int
    engine: Engine
    cluster: Cluster | None

    def recorded(self) -> Row:
        """Return what the run's record says of it; of a cluster, how many places its workers have at the start."""
        of_runner = {"runner": str(self.cluster.runner), "slots": self.cluster.slots()} if self.cluster else {}
        return {"workers": self.workers, "engine": self.engine, "runner": str(LOCAL)} | of_runner


def _carry_out_plan(store: Store, asked: Study, plan: RefreshPlan, means: _Means, basis: Basis) -> FeatureSetReport:
    study, bound, staging = asked.id, plan.bound, staging_folder(store, plan.bound)
    with record_run(store, "refresh", study, {"feature_set": bound.feature_set} | means.recorded()) as run:
        if plan.staged:
            say(f"{bound.feature_set}: {len(plan.staged)} extractions of an interrupted run are taken over")
        failures: dict[MaskKey, str] = {}
        if plan.missing:
            # Imported here: with nothing to compute, Prefect is not even loaded.
            from flows.refresh.flow import extract_batches

            what, work = f"extracting {bound.feature_set}", bound.work(plan.missing)
            with progress_bar(what, len(plan.missing), "extractions", work=work) as advance:
                receipts = extract_batches(
                    bound,
                    plan.missing_by_patient(),
                    staging,
                    study_folder=folder_of_study(Snapshot(store), study),
                    names_files=asked.privacy is None,
                    workers=means.workers,
                    engine=means.engine,
                    advance=advance,
                    cluster=means.cluster,
                    share=shared_at_once(store, plan.bound),
                )
            failures = {r.planned.key: _reason(asked, r) for r in receipts if r.failure is not None}
        staged = [each.extraction_id for each in (*plan.staged, *plan.missing) if each.key not in failures]
        with commit_to(store, f"refresh {study} {bound.feature_set}", basis=basis, run_id=run.run_id) as commit:
            # Asked under the writer's lock: who was erased since the plan was made must not be written back.
            plan = plan.among({MaskKey.of(row) for row in Snapshot(store).rows("study_masks", study=study)})
            failures = {each.key: failures[each.key] for each in plan.missing if each.key in failures}
            finished = [each for each in (*plan.staged, *plan.missing) if each.key not in failures]
            commit.put("feature_sets", [bound.catalogue_row()])
            commit.put("features", bound.dictionary_rows(), replacing={"feature_set": bound.feature_set})
            reasons = _append_staged(commit, store, bound, staging, [each.extraction_id for each in finished])
            _put(commit, store, study, plan, finished, reasons, failures)
            expected = look_at_features(commit, store, asked)
        if lacking := {identity: features for identity, features in reasons.items() if features}:
            values = sum(len(features) for features in lacking.values())
            say(f"{bound.feature_set}: {values} values are missing in {len(lacking)} extractions; failures has why")
        discard_staged(staging, staged)
        discard_shared(store, bound, staged)
        report = replace(_report(plan, study, list(failures), commit.landed_id), expectations=expected)
        run.summary |= {
            "computed": report.computed,
            "reused": report.reused,
            "failed": report.failed,
            "unchanged": report.unchanged,
        }
    return report


def _reason(study: Study, receipt: Receipt) -> str:
    """Return why an extraction failed, of a study with ``[privacy]`` without the names of its files."""
    reason = receipt.failure or ""
    if study.privacy is None:
        return reason
    return plain_reason(reason, [file_of_source(each) for each in sources_of(receipt.planned)])


def _append_staged(
    commit: Commit, store: Store, bound: BoundFeatureSet, staging: Path, extraction_ids: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    """Append staged extractions that the store lacks and return, by id, why values of theirs are missing."""
    # What another refresh has committed meanwhile is staged no longer.
    new = lacking(commit, bound.feature_set, extraction_ids)
    return bound.kind.append_staged(commit, store, bound.feature_set, bound.definition, staging, new)


def _put(
    commit: Commit,
    store: Store,
    study: str,
    plan: RefreshPlan,
    finished: Sequence[PlannedExtraction],
    unavailable: Mapping[str, Mapping[str, str]],
    failures: dict[MaskKey, str],
) -> None:
    own = {"study": study, "feature_set": plan.bound.feature_set}
    current = (*plan.unchanged, *plan.reused, *finished)
    commit.put("study_extractions", [own | {"extraction_id": each.extraction_id} for each in current], replacing=own)
    scope = own | {"stage": "refresh"}
    commit.put("failures", failure_rows(store, scope, plan, finished, unavailable, failures), replacing=scope)


def _report(plan: RefreshPlan, study: str, failures: Sequence[MaskKey], commit_id: int | None) -> FeatureSetReport:
    bound: BoundFeatureSet = plan.bound
    return FeatureSetReport(
        study=study,
        feature_set=bound.feature_set,
        features=bound.definition.width,
        computed=len(plan.missing) - len(failures),
        reused=len(plan.reused) + len(plan.staged),
        failed=len(failures) + len(plan.known_failures),
        unchanged=len(plan.unchanged),
        commit_id=commit_id,
    )
