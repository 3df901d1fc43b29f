"""The verbs that make a study known: init, ingest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import ValidationError

from flows.cli.answers.columns import column_lines
from flows.cli.outcome import CommandResult, Context, Workers, counted
from flows.engine.progress import say
from flows.ingest.report import IngestReport
from flows.ingest.run import ingest as ingest_study
from flows.plans.words import change_lines, plan_lines
from flows.study.file import study_file_text
from flows.study.of_table import TableOfFeatures, study_text
from flows.study.template import study_template
from flows.tables.file_faults import write_new_file
from schemas.errors import UsageError
from schemas.written.table_form import DecimalMark, Encoding, TableForm, ThousandsMark

__all__ = ["ingest", "init"]

_WITH_FAILURES = 5
Shared = Annotated[Context, Parameter(parse=False)]
Several = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]


def init(
    folder: Path,
    *,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    dry_run: bool = False,
    context: Shared,
) -> CommandResult:
    """Write a commented study file, FOLDER/study.toml, to start from, or draft it from a folder of images.

    The file shows the tables of a study and says what they mean; what a study need not have is commented out. Only
    this one file is written, and one that is there is never replaced.

    With --from it is drafted from what lies in another folder: NIfTI, NRRD and MetaImage as nnU-Net, BIDS or a habit
    of your own name them, DICOM folders with SEG or RTSTRUCT, and a table whose ids stand in the paths. Phases and
    path patterns are filled in. What may not be guessed is marked `# to decide`: units, what a mask's label means where
    it has several, and which column is the outcome where several could be. The files stay where they are.

    Parameters
    ----------
    folder
        Where to write it; made where it does not exist.
    from_
        The folder with images, masks and tables that the study is about.
    dry_run
        With --from: print the study file to stdout, and what was recognised to stderr, and write nothing.

    Examples
    --------
    radzoo init my-study
    radzoo init my-study --from export
    """
    file = folder / "study.toml"
    if dry_run and from_ is None:
        raise UsageError("--dry-run belongs to --from", hint="radzoo init DIR --from FOLDER --dry-run")
    if os.path.lexists(file) and not dry_run:
        raise UsageError("there is a study file already", where=str(file), hint=f"radzoo ingest {file}")
    hint = "radzoo init DIR, a folder that you may write"
    if from_ is None:
        write_new_file(file, study_template(folder), hint)
        return CommandResult(
            f"wrote {file}\nnext: describe your study in it, then radzoo ingest {file}", {"study_file": str(file)}
        )
    # Imported here: other verbs of this module need none of it.
    from flows.study_draft.run import study_draft
    from flows.study_draft.summary import draft_lines

    draft = study_draft(folder, from_)
    lines = draft_lines(draft, file, from_, is_written=not dry_run)
    if dry_run:
        if not context.as_json:
            for line in lines.splitlines():
                say(line)
        return CommandResult(draft.text.rstrip("\n"), {"study_file": None, **vars(draft)})
    write_new_file(file, draft.text, hint)
    return CommandResult(f"wrote {file}\n{lines}", {"study_file": str(file), **vars(draft)})


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
    encoding: Encoding | None = None,
    decimal: DecimalMark | None = None,
    thousands: ThousandsMark | None = None,
    header_row: int | None = None,
    first_row: int | None = None,
    sheet: str | None = None,
    id: str | None = None,  # noqa: A002  (the option's name)
    dry_run: bool = False,
    check: bool = False,
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
        Instead of a study file: a table of features computed elsewhere, .csv, .tsv, .parquet or .xlsx. A study file is
        written for it, ID/study.toml.
    patient
        With --features: the column with the pseudonym.
    outcome
        With --features: the column with the outcome.
    positive
        With --features: the outcome's level that is label 1.
    negative
        With --features: the level that is label 0, * for every other; needed where there are more than two.
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
    encoding
        With --features: what the text is written in, where it is not UTF-8, such as cp1252.
    decimal
        With --features: what stands before decimals, a point or a comma.
    thousands
        With --features: what stands between groups of three digits; needs --decimal.
    header_row
        With --features: the line, of a workbook the row, that names the columns.
    first_row
        With --features: the line or row of the first patient, where units stand between it and the header.
    sheet
        With --features: the sheet of a workbook.
    id
        With --features: the study's id; from the table's name where not given.
    dry_run
        Read everything and write nothing: say which rows would be added, superseded and removed, which features would
        then be missing, which models, datasets and reports stale, and how long earlier runs took for as much.
    check
        The same; leave with exit code 5 where any row would change or a model is stale.
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
    written_as: dict[str, str | int | None]
    written_as = {"encoding": encoding, "decimal": decimal, "thousands": thousands, "header_row": header_row}
    written_as |= {"first_row": first_row, "sheet": sheet}
    described = [patient, outcome, negative, phase, id, *phases, *drop, *missing, *models, *written_as.values()]
    if features is None and any(each is not None for each in described):
        raise UsageError("these options describe a table: they belong to --features", hint="radzoo ingest --help")
    made: tuple[Path, ...] = ()
    if features is not None and study_file is None:
        if patient is None or outcome is None:
            raise UsageError("--features needs --patient COLUMN and --outcome COLUMN", hint="radzoo ingest --help")
        table = TableOfFeatures(
            features, patient, outcome, positive, negative, id, phase, phases, drop, missing, models, _form(written_as)
        )
        study_file, made = _written_study(table)
    elif study_file is None or features is not None:
        raise UsageError("give a study file, or a table with --features", hint="radzoo ingest --help")
    only_plan = dry_run or check
    try:
        report = ingest_study(
            study_file,
            context.store,
            dry_run=only_plan,
            workers=workers,
            supersede=supersede,
            read_again=read_again,
            allow_removals=allow_removals,
        )
    except BaseException:
        _unwritten(made)
        raise
    text = _ingest_text(report, dry_run=only_plan)
    if only_plan:
        _unwritten(made)
    elif made:
        text = f"wrote {study_file}\n{text}"
    is_stale = check and (report.would_change or (report.plan is not None and report.plan.is_stale))
    return CommandResult(text, report, _WITH_FAILURES if report.failures or is_stale else 0)


def _form(given: dict[str, str | int | None]) -> TableForm:
    try:
        return TableForm.model_validate(given)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        option = f"--{str(fault['loc'][0]).replace('_', '-')}"
        raise UsageError(
            fault["msg"].removeprefix("Value error, "), where=option, hint="radzoo ingest --help"
        ) from error


def _written_study(table: TableOfFeatures) -> tuple[Path, tuple[Path, ...]]:
    """Return a table's study file and what had to be made for it; a file that says the same is left as it is."""
    file = Path(table.study_id) / "study.toml"
    text = study_text(table, file.parent)
    if os.path.lexists(file):
        if study_file_text(file) != text:
            raise UsageError(
                "there is another study file of this name",
                where=str(file),
                hint=f"radzoo ingest {file} reads it; --id NAME writes another",
            )
        return file, ()
    made = (file,) if file.parent.is_dir() else (file, file.parent)
    write_new_file(file, text, "run the command in a folder that you may write; nothing was written")
    return file, made


def _unwritten(made: tuple[Path, ...]) -> None:
    for path in made:
        if not path.is_dir():
            path.unlink(missing_ok=True)
        elif not any(path.iterdir()):
            path.rmdir()


def _ingest_text(report: IngestReport, *, dry_run: bool) -> str:
    lines = [
        f"criterion '{each.criterion}': {each.excluded} of {each.before} excluded, {each.left} left"
        for each in report.flow
    ]
    lines += [
        f"{report.study}: {counted(report.patients, 'patient')} ({report.labelled} labelled, "
        f"{counted(report.events, 'event')}), {counted(report.scans, 'scan')}, {counted(report.masks, 'mask')}"
    ]
    for row in report.failures:
        line = report.lines.get(row["patient"])
        whom = row["patient"] if line is None else f"{row['patient']} (line {line} of the cohort table)"
        what = f" {row['phase']} {row['reader']}.{row['reading']}" if row["phase"] else ""
        lines.append(f"failed: {whom}{what}: {row['reason']}")
    for each in report.imported:
        lines.append(
            f"{each.feature_set}: {each.features} features in {', '.join(each.phases) or 'no phase'}; rows: "
            f"{each.added} {'to be ' if dry_run else ''}added, {each.superseded} superseded, {each.removed} removed, "
            f"{each.unchanged} unchanged"
        )
        lines += [
            f"{each.feature_set}: study '{other}' reads this table too, and what was superseded is so there: ingest it "
            "again for rows that came or went"
            for other in each.corrected_in
        ]
        review = report.columns[each.feature_set.partition("@")[0]]
        lines += column_lines(each.feature_set, review, in_full=dry_run)
    lines += [f"note: {note}" for note in report.notes]
    lines += [f"warning: {warning}" for warning in report.warnings]
    if report.plan is not None:
        lines += [*change_lines(report.changes), *plan_lines(report.plan), "nothing was written (--dry-run)"]
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
