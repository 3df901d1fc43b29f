"""The verbs look and refresh: a study's images and masks, shown; features that it lacks, computed."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context, Workers, counted
from flows.engine.runners.address import runner_of
from flows.expect.found import found_lines
from flows.plans.made import plan_of_refresh
from flows.plans.words import plan_lines
from flows.refresh.report import FeatureSetReport
from flows.refresh.run import refresh as refresh_study
from schemas.settings import Engine
from store.faults import disk_faults
from store.home import Store

__all__ = ["failure_lines", "look", "refresh", "refresh_text"]

_WITH_FAILURES = 5
Shared = Annotated[Context, Parameter(parse=False)]


def look(
    *,
    study: str | None = None,
    patient: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = (),
    out: Path | None = None,
    workers: Workers = None,
    open: bool = False,  # noqa: A002  (the option's name)
    context: Shared,
) -> CommandResult:
    """Show a study's images and masks: slices to scroll through, contact sheets, what to look at twice.

    A page has every patient's phases side by side with the lesion's contour; sheet-001.png and on show the slice with
    the most lesion. Each mask's volume, diameter and intensities stand below it. Flagged are masks of few voxels, one
    or two slices, several parts, few intensities, at the border of the image, and volumes that differ twofold between
    the phases of an exam: radzoo sql "from quality" has the same of all masks. Shown is the reading that models
    use. The folder of before is replaced; the store stays as it is.

    Parameters
    ----------
    study
        The study's id; may be left out where the store has one study.
    patient
        Only this patient; may be given several times.
    out
        The folder to write; the store's report/look/STUDY where not given.
    workers
        Processes that read images; as many as there are cores where not given.
    open
        Show the page in the browser.

    Examples
    --------
    radzoo look --study my-study --open
    radzoo look --patient P014 --patient P027 --out doubtful
    """
    from flows.look.run import look as look_at_study

    with disk_faults(out or context.store):
        report = look_at_study(Store(context.store), study, patients=patient, out=out, workers=workers)
    if open:
        webbrowser.open(report.page.as_uri())
    lines = [f"{report.study}: {counted(report.scans, 'image')} with a mask"]
    if report.flag_counts:
        lines.append(f"to look at twice: {', '.join(f'{flag} {n}' for flag, n in report.flag_counts.items())}")
    if report.unmeasured:
        lines.append(
            f"without flags: {counted(report.unmeasured, 'mask')} that a release read which measured none; "
            "radzoo ingest STUDY.toml --read-again brings them"
        )
    if report.further_lesions:
        lines.append(
            f"not shown: {counted(report.further_lesions, 'lesion')} more in these images, which no model reads"
        )
    lines += [f"look at {name}: {'; '.join(flags)}" for name, flags in report.flags.items()]
    lines += [f"failed: {name}: {fault}" for name, fault in report.failures.items()]
    sheets = f"{report.sheets[0]}{f' to {report.sheets[-1].name}' if len(report.sheets) > 1 else ''}"
    lines += [f"wrote {report.page}", f"wrote {sheets}", f"next: radzoo refresh --study {report.study}"]
    return CommandResult("\n".join(lines), report, _WITH_FAILURES if report.failures else 0)


def refresh(
    *,
    study: str | None = None,
    feature_set: str | None = None,
    workers: Workers = None,
    dry_run: bool = False,
    check: bool = False,
    retry_failed: bool = False,
    engine: Engine = "fast",
    runner: str = "local",
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
        Worker processes; as many as there are cores where not given. On a cluster, how many patients are under way at
        once; two for each thread of its workers where not given.
    dry_run
        Compute nothing: say what would be computed, which models, datasets and reports are stale or become so, and how
        long earlier runs took for as much.
    check
        The same; leave with exit code 5 where features are missing or a model is stale.
    retry_failed
        Compute again what failed before on the same image and mask.
    engine
        What calculates features; the values are the same, pyradiomics takes several times as long.
    runner
        Where images are read and features calculated: local, dask://HOST:PORT or ray://HOST:PORT, the workers of a Dask
        or Ray cluster (docs/more-machines.md). The rows are the same. The workers need the images under the same paths
        or in a bucket, and the same installation, which is compared first; networks' embeddings are computed on this
        machine.

    Examples
    --------
    radzoo refresh --study my-study --dry-run
    radzoo refresh --study my-study --runner dask://node7:8786
    radzoo refresh --study my-study --workers 2
    """
    only_plan = dry_run or check
    store = Store(context.store, only_reads=only_plan)
    reports = refresh_study(
        store,
        study,
        feature_set=feature_set,
        workers=workers,
        dry_run=only_plan,
        retry_failed=retry_failed,
        engine=engine,
        runner=runner_of(runner),
    )
    is_bad = any(r.failed or r.refused or r.left_out for r in reports) and not only_plan
    plan = plan_of_refresh(store, study, feature_set=feature_set, retry_failed=retry_failed) if only_plan else None
    is_stale = check and (any(r.stale for r in reports) or (plan is not None and plan.is_stale))
    lines = [*(refresh_text(report, only_plan=only_plan) for report in reports), *failure_lines(reports)]
    # Of several sets the last commit has looked at all features there are.
    lines += next(
        (
            found_lines(each.expectations, each.study, would=only_plan)
            for each in reversed(reports)
            if each.expectations
        ),
        [],
    )
    if plan is not None:
        lines += plan_lines(plan, with_sets=False)
    if reports and not is_bad:
        step = "refresh" if only_plan and any(r.stale for r in reports) else "bench"
        lines.append(f"next: radzoo {step} --study {reports[0].study}")
    text = "\n".join(lines)
    data = reports if plan is None else {"feature_sets": reports, "plan": plan}
    return CommandResult(text or "the study asks for no feature set", data, _WITH_FAILURES if is_bad or is_stale else 0)


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
    if not any(each.failed or each.refused or each.left_out for each in reports):
        return []
    study, refused, failed = reports[0].study, reports[0].refused, sum(each.failed for each in reports)
    left_out = reports[0].left_out
    every = refused + failed + left_out
    question = f"select * from failures where study = '{study}' and coalesce(feature, '') = ''"
    return [
        f"{study}: {every} failure{'' if every == 1 else 's'}: {refused} refused at ingest, "
        f"{failed} failed in extraction" + (f", {left_out} left out by expectations" if left_out else ""),
        f'next: radzoo sql "{question}" tells why',
    ]
