"""The verbs of the zoo: train, bench, report."""

from __future__ import annotations

import shlex
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, Token, convert
from cyclopts.validators import Number

from flows.cli.figures.text import bench_text
from flows.cli.outcome import CommandResult, Context, Workers
from flows.engine.progress import say
from flows.engine.runners.address import runner_of
from schemas.results import FORMER_SUITES, MOST_RESAMPLES, REPEATS, RESAMPLES, Suite
from store.home import Store

# What these verbs do is imported where they do it: --help needs no library of learning.
if TYPE_CHECKING:
    from flows.train.run import TrainReport

__all__ = ["bench", "report", "train"]

_WITH_FAILURES = 5

Shared = Annotated[Context, Parameter(parse=False)]
Count = Annotated[int, Parameter(validator=Number(gte=1))]


def _suite(kind: type, tokens: Sequence[Token]) -> Any:
    """Return a suite by its name, also by the one that it had before."""
    (token,) = tokens
    name = FORMER_SUITES.get(token.value)
    if name is None:
        return convert(kind, tokens)
    say(f"--suite {token.value} is called {name} now: radzoo bench --suite {name}")
    return name


def train(*models: str, study: str | None = None, context: Shared) -> CommandResult:
    """Train models of the zoo on a study's training patients.

    A model is trained again only when its inputs, its settings or the libraries changed. It is a new version then; the
    old one stays. The table it trained from is pinned: radzoo datasets list shows it. Only training patients are
    learned from. A model that cannot be trained says why, the others are trained, and the exit code is 5.

    Parameters
    ----------
    models
        Names of the zoo, such as cr or radiomics_lr; all models of the study file where none is given.
    study
        The study's id; may be left out where the store has one study.

    Examples
    --------
    radzoo train --study my-study
    radzoo train cr radiomics_lr --study my-study
    """
    from flows.train.run import train as train_study

    reports = train_study(Store(context.store), study, models)
    is_bad = any(each.failure is not None for each in reports)
    return CommandResult("\n".join(_trained_text(each) for each in reports), reports, _WITH_FAILURES if is_bad else 0)


def bench(
    *models: str,
    study: str | None = None,
    suite: Annotated[Suite, Parameter(converter=_suite)] = "holdout",
    repeats: Count = REPEATS,
    folds: Annotated[int | None, Parameter(validator=Number(gte=2))] = None,
    controls: bool = False,
    control_repeats: Count = 1,
    resamples: Annotated[int, Parameter(validator=Number(gte=2, lte=MOST_RESAMPLES))] = RESAMPLES,
    workers: Workers = None,
    runner: str = "local",
    context: Shared,
) -> CommandResult:
    """Judge a study's models alike, training what is missing.

    The holdout suite judges trained models on the training and validation cohorts of their split. The nested-cv suite
    judges the same recipes by repeated nested cross-validation over all labelled patients: whatever is fitted,
    selection and threshold included, is fitted again in every fold without the patients held out. The bootstrap suite
    judges them on the training patients and takes off Harrell's optimism: how far AUC, calibration slope and Brier
    score flatter, as resamples of these patients show to which everything is fitted again. Networks are left out of it.

    The holdout suite takes minutes. Each model version that it judges on a validation cohort is counted, which cannot
    be undone: a cohort that is looked at often is no longer unseen. The nested-cv suite fits every model many times
    over and takes longer, the bootstrap suite as many times as there are resamples; progress says how long. Where
    either was interrupted, the same command goes on.

    Leaderboard, comparisons and predictions are written in one commit, and analyst.duckdb is published again. The
    leaderboard before it stays to be read with radzoo sql --as-of COMMIT.

    Parameters
    ----------
    models
        Names of the zoo; all models of the study file where none is given. The leaderboard of a suite holds the models
        that were judged together.
    study
        The study's id; may be left out where the store has one study.
    suite
        How models are judged.
    repeats
        Repeats of the nested-cv suite: new random folds each time.
    folds
        Folds of the nested-cv suite; 5 where not given, or as many as the rarer label has patients.
    controls
        Also judge models where there is nothing to find: labels permuted over patients, and the intensities inside
        each mask shuffled among its voxels.
    control_repeats
        Repeats of the nested-cv suite's controls.
    resamples
        How often the bootstrap suite draws the training patients: 2 to 2000, one fit of all models each.
    workers
        Processes of the nested-cv and bootstrap suites; as many as there are cores where not given. On a cluster, how
        many fits are under way at once; two for each thread of its workers where not given.
    runner
        Where the nested-cv and bootstrap suites and the controls fit models: local, dask://HOST:PORT or
        ray://HOST:PORT, the workers of a Dask or Ray cluster (docs/more-machines.md). The figures are the same. Models
        are trained on this machine.

    Examples
    --------
    radzoo bench --study my-study
    radzoo bench --study my-study --suite nested-cv
    radzoo bench rcr --study my-study --suite bootstrap --resamples 200
    radzoo bench cr radiomics_lr --study my-study --controls
    """
    from flows.bench.run import bench as bench_study

    found = bench_study(
        Store(context.store),
        study,
        models=models,
        suite=suite,
        repeats=repeats,
        folds=folds,
        controls=controls,
        control_repeats=control_repeats,
        resamples=resamples,
        workers=workers,
        runner=runner_of(runner),
    )
    text = f"{bench_text(found)}\n\nnext: radzoo report --study {found.study} --open"
    return CommandResult(text, found, _WITH_FAILURES if found.failures else 0)


def report(
    *,
    study: str | None = None,
    out: Path | None = None,
    open: bool = False,  # noqa: A002  (the option's name)
    context: Shared,
) -> CommandResult:
    """Write a study's report, one HTML page that needs nothing beside it.

    Every number of it has the SQL that gives it. The page, and the overview that it links to, replace those of
    before; the store stays as it is.

    Parameters
    ----------
    study
        The study's id; may be left out where the store has one study.
    out
        The file to write; the store's report/STUDY.html where not given. The overview goes to overview/ beside it.
    open
        Show it in the browser.

    Examples
    --------
    radzoo report --study my-study --open
    """
    from flows.report.page import write_report

    file = write_report(Store(context.store), study, out)
    if open:
        webbrowser.open(file.as_uri())
    here = "" if out is None else f" --out {shlex.quote(str(out))}"
    shown = "" if open else f"\nnext: open it in a browser, or let radzoo report --open{here} do so"
    return CommandResult(f"wrote {file}{shown}", {"report": str(file)})


def _trained_text(found: TrainReport) -> str:
    if found.failure is not None:
        return f"{found.model}: failed: {found.failure}\nnext: {found.hint}"
    reasons = "; ".join(f"{row.patients}: {row.reason}" for row in found.left_out)
    total = sum(row.patients for row in found.left_out)
    left_out = f", {total} left out ({reasons})" if total else ""
    what = "trained" if found.trained else "unchanged"
    return f"{found.model} v{found.version}: {what} ({found.patients} patients in the split{left_out})"
