"""The verbs of a study: init, ingest, refresh."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.answers.columns import column_lines
from flows.cli.outcome import CommandResult, Context, Workers
from flows.ingest.run import IngestReport
from flows.ingest.run import ingest as ingest_study
from flows.refresh.report import FeatureSetReport
from flows.refresh.run import refresh as refresh_study
from flows.study.file import study_file_text
from flows.study.of_table import TableOfFeatures, study_text
from flows.study.template import study_template
from flows.tables.file_faults import write_new_file
from schemas.errors import RadzooError, UsageError
from schemas.settings import Engine
from store.home import Store

__all__ = ["failure_lines", "ingest", "init", "refresh", "refresh_text"]

_WITH_FAILURES = 5
Shared = Annotated[Context, Parameter(parse=False)]
Several = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]


def init(folder: Path, *, context: Shared) -> CommandResult:
    """Write a commented study file, FOLDER/study.toml, to start from.

    The file shows the tables of a study and says what they mean; what a study need not have is commented out. Only
    this one file is written, and one that is there is never replaced.

    Parameters
    ----------
    folder
        Where to write it; made where it does not exist.

    Examples
    --------
    radzoo init my-study
    """
    file = folder / "study.toml"
    if os.path.lexists(file):
        raise UsageError("there is a study file already", where=str(file), hint=f"radzoo ingest {file}")
    write_new_file(file, study_template(folder), "radzoo init DIR, a folder that you may write")
    return CommandResult(
        f"wrote {file}\nnext: describe your study in it, then radzoo ingest {file}", {"study_file": str(file)}
    )


def ingest(
    study_file: Path | None = None,
    *,
    features: Path | None = None,
    patient: str | None = None,
    outcome: str | None = None,
    positive: str = "1",
    negative: str | None = None,
    phase: str | None = None,
    phases: Several = (),
    drop: Several = (),
    missing: Several = (),
    models: Several = (),
    id: str | None = None,  # noqa: A002  (the option's name)
    dry_run: bool = False,
    workers: Workers = None,
    supersede: bool = False,
    read_again: bool = False,
    allow_removals: Annotated[bool, Parameter(negative="")] = False,
    context: Shared,
) -> CommandResult:
    """Read a study file, its tables, images and masks into the store, in one commit.

    Everything is checked first. A fault in the study file or its tables changes nothing, and the line is named. An
    image or a mask that cannot be used costs its own row: the reason goes to failures, and the exit code is 5.

    Run it again whenever tables, images or masks changed: only what differs is written, and without a difference there
    is no commit. Values that changed or went are ended, not deleted: radzoo sql --as-of COMMIT still shows them. A
    store is made where there is none. The files that are read stay as they are.

    With --features and no study file a table of features from elsewhere becomes a study.

    Parameters
    ----------
    study_file
        The study's TOML file; paths in it are relative to it.
    features
        Instead of a study file: a table of features computed elsewhere, .csv, .tsv or .parquet. A study file is
        written for it, ID/study.toml.
    patient
        With --features: the column with the pseudonym.
    outcome
        With --features: the column with the outcome.
    positive
        With --features: the outcome's level that is label 1.
    negative
        With --features: the level that is label 0; needed where there are more than two.
    phase
        With --features: the column that names each row's phase, where a patient has several rows.
    phases
        With --features: the phases whose columns stand side by side as PHASE_feature.
    drop
        With --features: columns that are no features, as patterns with * and ?.
    missing
        With --features: cells that mean 'no value', besides empty ones, NA, N/A and NaN.
    models
        With --features: models of the zoo; all that read radiomics alone where not given.
    id
        With --features: the study's id; from the table's name where not given.
    dry_run
        Check and count everything, write nothing.
    workers
        Threads that read images; as many as there are cores where not given.
    supersede
        Accept this study's values where another study gives the same patient, variable and date another one.
    read_again
        Read every image and mask again, also those whose size and time of change are as they were.
    allow_removals
        Remove what the study no longer has, even where it is more than [cohort] max_removed_share of it (20 %).

    Examples
    --------
    radzoo ingest my-study/study.toml --dry-run
    radzoo ingest my-study/study.toml
    radzoo ingest --features table.csv --patient id --outcome recurrence --positive yes
    """
    described = [patient, outcome, negative, phase, id, *phases, *drop, *missing, *models]
    if features is None and any(each is not None for each in described):
        raise UsageError("these options describe a table: they belong to --features", hint="radzoo ingest --help")
    written = False
    if features is not None and study_file is None:
        if patient is None or outcome is None:
            raise UsageError("--features needs --patient COLUMN and --outcome COLUMN", hint="radzoo ingest --help")
        table = TableOfFeatures(
            features, patient, outcome, positive, negative, id, phase, phases, drop, missing, models
        )
        study_file, written = _written_study(table)
    elif study_file is None or features is not None:
        raise UsageError("give a study file, or a table with --features", hint="radzoo ingest --help")
    try:
        report = ingest_study(
            study_file,
            context.store,
            dry_run=dry_run,
            workers=workers,
            supersede=supersede,
            read_again=read_again,
            allow_removals=allow_removals,
        )
    except RadzooError:
        if written:
            _unwritten(study_file)
        raise
    text = _ingest_text(report, dry_run=dry_run)
    if written and dry_run:
        _unwritten(study_file)
    elif written:
        text = f"wrote {study_file}\n{text}"
    return CommandResult(text, report, _WITH_FAILURES if report.failures else 0)


def _written_study(table: TableOfFeatures) -> tuple[Path, bool]:
    """Return a table's study file and whether it had to be written; one that says the same is left as it is."""
    file = Path(table.study_id) / "study.toml"
    text = study_text(table, file.parent)
    if os.path.lexists(file):
        if study_file_text(file) != text:
            raise UsageError(
                "there is another study file of this name",
                where=str(file),
                hint=f"radzoo ingest {file} reads it; --id NAME writes another",
            )
        return file, False
    write_new_file(file, text, "run the command in a folder that you may write; nothing was written")
    return file, True


def _unwritten(file: Path) -> None:
    file.unlink()
    if not any(file.parent.iterdir()):
        file.parent.rmdir()


def refresh(
    *,
    study: str | None = None,
    feature_set: str | None = None,
    workers: Workers = None,
    dry_run: bool = False,
    check: bool = False,
    retry_failed: bool = False,
    engine: Engine = "fast",
    context: Shared,
) -> CommandResult:
    """Compute the features that a study lacks; what is in the store is never computed again.

    A row belongs to an image, a mask and a definition of features: what another study computed from the same three is
    taken over. Rows are added in one commit, none is changed, and analyst.duckdb is published again. Where it was
    interrupted, the same command goes on from there. A mask that fails costs its row, with the reason in failures and
    exit code 5, and is tried again only with --retry-failed.

    Parameters
    ----------
    study
        The study's id; may be left out where the store has one study.
    feature_set
        Only this one of the study's feature sets.
    workers
        Worker processes; as many as there are cores where not given.
    dry_run
        Say what would be computed, compute nothing.
    check
        Compute nothing; leave with exit code 5 where anything is stale.
    retry_failed
        Compute again what failed before on the same image and mask.
    engine
        What calculates features; the values are the same, pyradiomics takes several times as long.

    Examples
    --------
    radzoo refresh --study my-study --dry-run
    radzoo refresh --study my-study --workers 2
    """
    only_plan = dry_run or check
    reports = refresh_study(
        Store(context.store),
        study,
        feature_set=feature_set,
        workers=workers,
        dry_run=only_plan,
        retry_failed=retry_failed,
        engine=engine,
    )
    is_bad = any(r.failed or r.refused for r in reports) and not only_plan
    is_stale = check and any(r.stale for r in reports)
    text = "\n".join([*(refresh_text(report, only_plan=only_plan) for report in reports), *failure_lines(reports)])
    return CommandResult(
        text or "the study asks for no feature set", reports, _WITH_FAILURES if is_bad or is_stale else 0
    )


def _ingest_text(report: IngestReport, *, dry_run: bool) -> str:
    lines = [
        f"{report.study}: {report.patients} patients ({report.labelled} labelled, {report.events} events), "
        f"{report.scans} scans, {report.masks} masks"
    ]
    lines += [
        f"failed: {row['patient']} {row['phase']} {row['reader']}.{row['reading']}: {row['reason']}"
        if row["phase"]
        else f"failed: {row['patient']}: {row['reason']}"
        for row in report.failures
    ]
    for each in report.imported:
        lines.append(
            f"{each.feature_set}: {each.features} features in {', '.join(each.phases) or 'no phase'}; rows: "
            f"{each.added} added, {each.superseded} superseded, {each.removed} removed, {each.unchanged} unchanged"
        )
        review = report.columns[each.feature_set.partition("@")[0]]
        lines += column_lines(each.feature_set, review, in_full=False)
    if dry_run:
        lines += [line for name, each in report.columns.items() for line in column_lines(name, each, in_full=True)]
    lines += [f"note: {note}" for note in report.notes]
    lines += [f"warning: {warning}" for warning in report.warnings]
    if dry_run:
        lines.append("nothing was written (--dry-run)")
    elif report.commit_id is None:
        lines.append("unchanged: no commit was needed")
    else:
        rows = f"{report.added} rows added, {report.changed} superseded, {report.removed} removed"
        lines.append(f"commit {report.commit_id}: {rows}")
        if report.scans or report.imported or not report.failures:
            lines.append(f"next: radzoo {'refresh' if report.scans else 'bench'} --study {report.study}")
        else:
            lines.append("next: correct the images that failed, then run the same command again")
    return "\n".join(lines)


def refresh_text(report: FeatureSetReport, *, only_plan: bool = False) -> str:
    """Return what a refresh did, or would do, for one feature set."""
    would = "to be " if only_plan else ""
    line = (
        f"{report.study} {report.feature_set} ({report.features} features): {would}computed {report.computed}, "
        f"{would}reused {report.reused}, failed {report.failed}, unchanged {report.unchanged}"
    )
    if report.single_values:
        line += f", single values missing {report.single_values}"
    if report.commit_id is not None:
        line += f"; commit {report.commit_id}"
    return line


def failure_lines(reports: Sequence[FeatureSetReport]) -> list[str]:
    """Return what a study lacks after a refresh, each failure counted once, and how to see why; else nothing.

    The sum is the number of rows in ``failures`` without those of single values.
    """
    if not any(each.failed or each.refused for each in reports):
        return []
    study, refused, failed = reports[0].study, reports[0].refused, sum(each.failed for each in reports)
    question = f"select * from failures where study = '{study}' and coalesce(feature, '') = ''"
    return [
        f"{study}: {refused + failed} failure{'' if refused + failed == 1 else 's'}: {refused} refused at ingest, "
        f"{failed} failed in extraction",
        f'next: radzoo sql "{question}" tells why',
    ]
