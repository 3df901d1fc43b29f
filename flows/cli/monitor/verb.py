"""The verb ``monitor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.cli.answers.files import FileFormat, file_format, refuse_place, write_pieces
from flows.cli.outcome import CommandResult, Context, counted
from flows.monitor.rules import DriftRules
from store.faults import disk_faults
from store.home import Store

__all__ = ["monitor"]

_DRIFTS = 5


def monitor(
    *,
    study: str | None = None,
    feature_set: str | None = None,
    model: str | None = None,
    by: str = "cohort",
    reference: str | None = None,
    split: str | None = None,
    alpha: Annotated[float, Parameter(validator=Number(gte=0.0001, lt=1))] = DriftRules.alpha,
    least_psi: Annotated[float, Parameter(validator=Number(gte=0))] = DriftRules.least_psi,
    as_of: str | None = None,
    limit: Annotated[int, Parameter(validator=Number(gte=0))] = 10,
    out: Path | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    check: Annotated[bool, Parameter(negative="")] = False,
    context: Annotated[Context, Parameter(parse=False)],
) -> CommandResult:
    """Say what drifts (features, predictions, outcomes) between cohorts, scanners, sites, months, commits, studies.

    Groups of patients are compared with a reference: each feature by Kolmogorov and Smirnov's distance, all of them
    together by a classifier that is to tell the groups apart, the rate of the outcome, and with --model its predictions
    and their calibration. The p values are adjusted for all of that: where nothing drifts, the chance of any finding is
    --alpha. The store stays as it is.

    Parameters
    ----------
    study
        The study's id; may be left out where the store has one study.
    feature_set
        A name or name@N, embeddings too; the study's first where neither it nor a model is named.
    model
        [STUDY/]MODEL[@VERSION] whose predictions are compared; patients that it was trained on are left out.
    by
        cohort, study, scanner, month, commit, or a clinical variable that has levels, such as the site.
    reference
        The group that the others are compared with, of months and commits with all before it. Where not given: the
        training patients, the study, the largest group, or the first months or commits that have half of the patients.
    split
        The split whose cohorts count; the study's first where not given.
    alpha
        The chance of any finding where nothing drifts; a smaller one takes longer.
    least_psi
        A feature drifts from this population stability index on, and where its p value is at most alpha.
    as_of
        Look at the store as of this commit, its number or a tag.
    limit
        How many features to show of each comparison, those that drift most.
    out
        Write all features to this .csv, .tsv, .parquet or .xlsx file, or the whole answer to a .json file or a page,
        .html.
    force
        Replace the file of --out where it is there already.
    check
        Leave with exit code 5 where anything drifts.

    Examples
    --------
    radzoo monitor --study my-study --by scanner
    radzoo monitor --model rcr --by month --reference 2026-03 --check
    """
    # Imported here: help needs no numerical libraries.
    from flows.cli.monitor.text import drift_pieces, drift_text
    from flows.monitor.run import monitor as monitor_study

    form: FileFormat | Literal["html"] = "json"
    if out is not None:
        form = "html" if out.suffix.lower() == ".html" else file_format(out, None)
        # Before it is computed, which may take long.
        refuse_place(out, force=force)
    with disk_faults(out or context.store):
        report = monitor_study(
            Store(context.store),
            study,
            feature_set=feature_set,
            model=model,
            by=by,
            reference=reference,
            split=split,
            rules=DriftRules(alpha, least_psi),
            as_of=as_of,
        )
    code = _DRIFTS if check and report.findings else 0
    if out is None:
        return CommandResult(drift_text(report, limit), report, code)
    write_pieces(drift_pieces(report, form), out, force=force)
    drifts = counted(len(report.findings), "finding")
    return CommandResult(
        f"{drifts} of {counted(report.tests, 'test')}; wrote {out}",
        {"findings": report.findings, "file": str(out)},
        code,
    )
