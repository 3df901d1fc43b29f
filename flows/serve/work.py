"""What the runs of a served study do, a verb each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from flows.bench.run import bench
from flows.collect.run import collect
from flows.engine.progress import say
from flows.expect.quarantine import STAGE
from flows.ingest.run import ingest, read_study
from flows.keep.compact import compact
from flows.monitor.asked import DriftQuestion, answered, study_questions
from flows.monitor.words import comparison_text, comparison_title, verdict
from flows.pages.questions import Questions
from flows.refresh.report import FeatureSetReport
from flows.refresh.run import refresh
from flows.report.page import write_report
from flows.serve.scheduled_run import WorkDone
from flows.serve.verbs import ServedVerb
from flows.train.run import TrainReport, train
from schemas.drift.asked import Monitor
from schemas.errors import ContractError, NotFoundError
from schemas.foreign_text import one_line
from store.analyst.query import snapshot_connection
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store

__all__ = ["ServedStudy", "work_of"]

_OF_INPUTS = ("ingest", STAGE)
"""Stages of failures that say what of a study's own files is not there."""


@dataclass(frozen=True)
class ServedStudy:
    """What a schedule is of. A flow has it from here: whoever starts a run cannot name another."""

    file: Path
    """The study's file, which ingest, refresh and bench ingest again."""
    study: str
    """The study's id."""
    store: Path
    """The store's folder."""
    timezone: str | None = None
    """The IANA name of the time zone of cron texts and lines; this machine's own where absent."""
    on_failure: str | None = None
    """What is called where a run is broken, has something new to tell or found drift: a command, or an address."""
    report: Path | None = None
    """The file of the report that report and bench write; bench writes none where absent."""
    monitor_by: str | None = None
    """Which groups are compared for drift; where absent those that the study file names, else the cohorts."""


def work_of(verb: ServedVerb) -> Callable[[ServedStudy], WorkDone]:
    """Return the function that does the work of a verb for a served study.

    Ingest takes what is complete in a drop folder, then reads the study file; refresh does that and computes what its
    study lacks; bench does that, trains what is missing, judges the models and writes the report where a file is named
    for it. Train, report, monitor, expect and compact take the store as it is.

    Parameters
    ----------
    verb : str
        One of `flows.serve.verbs.SERVED_VERBS`.
    """
    return _WORK[verb]


def _ingested(served: ServedStudy) -> WorkDone:
    collected = _collected(served)
    found = ingest(served.file, served.store)
    counts = {"added": found.added, "changed": found.changed, "removed": found.removed}
    return WorkDone(found.study, (), collected | counts, found.commit_id, stages=_OF_INPUTS)


def _refreshed(served: ServedStudy) -> WorkDone:
    collected = _collected(served)
    ingested = ingest(served.file, served.store)
    done = _work_done(ingested.study, ingested.commit_id, refresh(Store(served.store), ingested.study))
    return replace(done, counts={**collected, **done.counts})


def _collected(served: ServedStudy) -> dict[str, int]:
    """Take what is complete in the study's drop folder, where it has one; return how many were taken or refused."""
    study, _ = read_study(served.file)
    if study.drop is None:
        return {}
    found = collect(study, served.file)
    for each in found.collected:
        if each.ending != "waiting":
            say(f"{each.ending}: {each.name}: {each.reason}")
    counts = {ending: found.count(ending) for ending in ("taken", "quarantined", "failed")}
    counts["quarantined"] += counts.pop("failed")
    return {ending: count for ending, count in counts.items() if count}


def _trained(served: ServedStudy) -> WorkDone:
    store = Store(served.store)
    before = Snapshot(store).commit_id
    found = train(store, served.study)
    after = Snapshot(store).commit_id
    rows = [
        {"model": each.model, "version": each.version, "did": _training_word(each), "patients": each.patients}
        for each in found
    ]
    return WorkDone(
        served.study,
        (),
        _training_counts(found),
        after if after != before else None,
        tables={"models": rows},
        stages=("train",),
    )


def _training_word(each: TrainReport) -> str:
    if each.failure is not None:
        return "cannot be fitted"
    return "trained" if each.trained else "unchanged"


def _training_counts(found: list[TrainReport] | tuple[TrainReport, ...]) -> dict[str, int]:
    return {"models": len(found), "trained": sum(each.trained for each in found)}


def _benched(served: ServedStudy) -> WorkDone:
    refreshed = _refreshed(served)
    found = bench(Store(served.store), refreshed.study)
    if served.report is not None:
        write_report(Store(served.store), refreshed.study, served.report)
    return WorkDone(
        refreshed.study,
        refreshed.feature_sets,
        _training_counts(found.trained) | dict(refreshed.counts),
        found.commit_id if found.commit_id is not None else refreshed.commit_id,
        stages=(*_OF_INPUTS, "train", "bench"),
    )


def _reported(served: ServedStudy) -> WorkDone:
    file = write_report(Store(served.store), served.study, served.report)
    say(f"wrote {file}")
    return WorkDone(served.study, None, found=one_line(f"wrote {file.name}"))


def _monitored(served: ServedStudy) -> WorkDone:
    store = Store(served.store)
    answers, untold, faults = [], [], []
    for question in _drift_questions(store, served):
        try:
            answers.append(answered(store, question))
        except (ContractError, NotFoundError) as error:
            # What the others found is told all the same.
            faults.append(error)
            untold.append({"by": question.by, "compared": "", "found": f"not answered: {error.message}", "drifts": ""})
            say(f"monitor by {question.by}: not answered: {error.message}")
    if faults and not answers:
        raise faults[0]
    rows = untold + [
        {
            "by": found.by,
            "compared": comparison_title(each),
            "found": comparison_text(each, found),
            "drifts": one_line(", ".join(each.findings)),
        }
        for found in answers
        for each in found.compared
    ]
    counts = {"findings": sum(len(found.findings) for found in answers), "tests": sum(found.tests for found in answers)}
    counts |= {"unanswered": len(faults)} if faults else {}
    words = "; ".join(verdict(found) for found in answers if found.findings)
    return WorkDone(served.study, None, counts, tables={"drift": rows}, found=words)


def _drift_questions(store: Store, served: ServedStudy) -> list[DriftQuestion]:
    """Return what ``--monitor-by`` asks, else what the study file does, else whether the cohorts drift."""
    snapshot = Snapshot(store)
    study = stored_study(snapshot, served.study)
    asked = study.monitor or Monitor()
    if served.monitor_by is not None:
        asked = asked.model_copy(update={"by": (served.monitor_by,)})
    return study_questions(snapshot, study.model_copy(update={"monitor": asked}))


def _expected(served: ServedStudy) -> WorkDone:
    with snapshot_connection(Snapshot(Store(served.store)), {"expectations"}) as connection:
        rows = Questions(connection, "expect", study=served.study).ask("expectations").rows
    unmet = [row["expectation"] for row in rows if row["status"] != "held"]
    statuses = Counter(row["status"] for row in rows)
    counts = {"held": statuses["held"], "unmet": len(unmet)}
    return WorkDone(served.study, None, counts, found=one_line(f"not held: {', '.join(unmet)}") if unmet else "")


def _compacted(served: ServedStudy) -> WorkDone:
    found = compact(Store(served.store))
    counts = {"merged": sum(each.files_before - each.files_after for each in found.feature_sets)}
    return WorkDone(served.study, None, counts | {"removed": len(found.removed)})


def _work_done(study: str, ingest_commit: int | None, reports: list[FeatureSetReport]) -> WorkDone:
    commits = [each for each in (ingest_commit, *(report.commit_id for report in reports)) if each is not None]
    return WorkDone(
        study,
        tuple(report.feature_set for report in reports),
        {
            "computed": sum(report.computed for report in reports),
            "reused": sum(report.reused for report in reports),
            "unchanged": sum(report.unchanged for report in reports),
        },
        max(commits, default=None),
        stages=_OF_INPUTS,
    )


_WORK: Mapping[ServedVerb, Callable[[ServedStudy], WorkDone]] = {
    "ingest": _ingested,
    "refresh": _refreshed,
    "train": _trained,
    "bench": _benched,
    "report": _reported,
    "monitor": _monitored,
    "expect": _expected,
    "compact": _compacted,
}
