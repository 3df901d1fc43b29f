"""The verbs of the zoo: train, bench, report."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, Token, convert
from cyclopts.validators import Number

from flows.cli.outcome import CommandResult, Context, Workers, table_text
from flows.engine.progress import say
from schemas.results import FORMER_SUITES, REPEATS, ControlRow, LeaderboardRow, Suite
from store.home import Store

# What these verbs do is imported where they do it: --help needs no library of learning.
if TYPE_CHECKING:
    from flows.bench.run import BenchReport
    from flows.train.run import TrainReport

__all__ = ["bench", "bench_text", "leaderboard_text", "report", "train"]

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
    workers: Workers = None,
    context: Shared,
) -> CommandResult:
    """Judge a study's models alike, training what is missing.

    The holdout suite judges trained models on the training and validation cohorts of their split. The nested-cv suite
    judges the same recipes by repeated nested cross-validation over all labelled patients: whatever is fitted,
    selection and threshold included, is fitted again in every fold without the patients held out.

    The holdout suite takes minutes. Each model version that it judges on a validation cohort is counted, which cannot
    be undone: a cohort that is looked at often is no longer unseen. The nested-cv suite fits every model many times
    over and takes longer; where it was interrupted, the same command goes on.

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
    workers
        Processes of the nested-cv suite; as many as there are cores where not given.

    Examples
    --------
    radzoo bench --study my-study
    radzoo bench --study my-study --suite nested-cv
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
        workers=workers,
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
    shown = "" if open else "\nnext: open it in a browser, or let radzoo report --open do so"
    return CommandResult(f"wrote {file}{shown}", {"report": str(file)})


def leaderboard_text(found: BenchReport) -> str:
    """Return a benchmark as people read it: intervals behind the AUC, rates to three digits."""
    rows = [
        {
            "model": row.model,
            "cohort": row.cohort,
            "n": f"{row.n} ({row.events} events)",
            "AUC (95 % CI)": _area(row.auc, row.auc_lo, row.auc_hi),
            "plain DeLong": _bounds(row.auc_delong_lo, row.auc_delong_hi),
            "sens": _rate(row.sensitivity),
            "spec": _rate(row.specificity),
            "PPV": _rate(row.ppv),
            "NPV": _rate(row.npv),
            "Brier": f"{row.brier:.3f}",
        }
        for row in found.leaderboard
    ]
    return table_text(rows, list(rows[0])) if rows else "no model was judged"


def bench_text(found: BenchReport) -> str:
    """Return a benchmark as people read it: the leaderboard, and how often held-out cohorts were opened."""
    opened = [
        f"validation cohort of split {split}: model versions judged on it so far: {count}"
        for split, count in sorted(found.times_opened.items())
    ]
    parts = [leaderboard_text(found)]
    if reasons := _missing_figures(found.leaderboard):
        parts.append("\n".join(reasons))
    if found.controls:
        parts.append(_controls_text(found.controls))
    parts += [*found.notes, _left_out_text(found)]
    if found.failures:
        parts.append("\n".join(f"failed: {reason}" for reason in found.failures.values()) + f"\n{_next(found)}")
    if opened:
        parts.append("\n".join(opened))
    return "\n\n".join(part for part in parts if part)


def _controls_text(found: Sequence[ControlRow]) -> str:
    rows = [
        {
            "negative control": row.control.replace("_", " "),
            "model": row.model,
            "cohort": row.cohort,
            "n": f"{row.n} ({row.events} events)",
            "AUC (95 % CI)": _area(row.auc, row.auc_lo, row.auc_hi),
            ".5 lies in it": {None: "no interval", True: "yes", False: "NO"}[row.holds_chance],
        }
        for row in found
    ]
    note = (
        ""
        if all(row.control == "permuted_labels" for row in found)
        else (
            "\nsize and the histogram of intensities survive shuffling: what they predict is no fault of the procedure"
        )
    )
    return table_text(rows, list(rows[0])) + note


def _missing_figures(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Return why cohorts have no AUC or no interval, a line for each cohort that has none."""
    found: dict[str, list[str]] = {}
    for row in rows:
        counts = f"{row.events} with label 1 and {row.n - row.events} with label 0"
        if row.auc is None:
            of_both = "" if row.suite == "holdout" else " held out together"
            reason = f"no AUC: it needs patients of both labels{of_both}, there are {counts}"
        elif row.auc_lo is None:
            reason = f"no interval and no test of the AUC: they need two patients of each label, there are {counts}"
        else:
            continue
        found.setdefault(f"{row.cohort} cohort: {reason}", []).append(row.model)
    return [f"{reason} ({', '.join(models)})" for reason, models in found.items()]


def _left_out_text(found: BenchReport) -> str:
    """Return whom models left out and why, models that left out the same patients on one line."""
    reports = [each for each in found.trained if each.version is not None and each.model not in found.failures]
    groups: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for each in reports:
        groups.setdefault(tuple((row.reason, row.patients) for row in each.left_out), []).append(each.model)
    lines = []
    if groups and not any(groups):
        return f"no patient was left out: each model that was judged reads all {reports[0].patients}"
    for counts, models in groups.items():
        named = "every model" if len(groups) == 1 else ", ".join(models)
        total = sum(patients for _, patients in counts)
        reasons = "; ".join(f"{patients}: {reason}" for reason, patients in counts)
        lines.append(f"patients left out by {named}: {total}{f' ({reasons})' if counts else ''}")
    return "\n".join(lines)


def _next(found: BenchReport) -> str:
    hints = dict.fromkeys(each.hint for each in found.trained if each.hint is not None)
    query = f"select model, reason from failures where study = '{found.study}' and model is not null"
    return "\n".join(f"next: {hint}" for hint in (*hints, f'radzoo sql "{query}" shows them again'))


def _area(area: float | None, lower: float | None, upper: float | None) -> str:
    if area is None:
        return "-"
    return f"{area:.3f}" if lower is None or upper is None else f"{area:.3f} ({lower:.3f}-{upper:.3f})"


def _bounds(lower: float | None, upper: float | None) -> str:
    return "-" if lower is None or upper is None else f"{lower:.3f}-{upper:.3f}"


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _trained_text(found: TrainReport) -> str:
    if found.failure is not None:
        return f"{found.model}: failed: {found.failure}\nnext: {found.hint}"
    reasons = "; ".join(f"{row.patients}: {row.reason}" for row in found.left_out)
    total = sum(row.patients for row in found.left_out)
    left_out = f", {total} left out ({reasons})" if total else ""
    what = "trained" if found.trained else "unchanged"
    return f"{found.model} v{found.version}: {what} ({found.patients} patients in the split{left_out})"
