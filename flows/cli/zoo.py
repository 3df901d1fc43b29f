"""The verbs of the zoo: train, bench, report."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.cli.outcome import Context, Outcome, Workers, table_text
from schemas.results import FOLDS, REPEATS, ControlRow
from store.home import Store

# What these verbs do is imported where they do it: --help needs no library of learning.
if TYPE_CHECKING:
    from flows.bench import BenchReport
    from flows.train import TrainReport

__all__ = ["bench", "bench_text", "leaderboard_text", "report", "train"]

Shared = Annotated[Context, Parameter(parse=False)]
Count = Annotated[int, Parameter(validator=Number(gte=1))]


def train(*models: str, study: str | None = None, context: Shared) -> Outcome:
    """Train models of the zoo on a study's training patients.

    A model is trained again only when its inputs, its settings or the libraries changed.

    Parameters
    ----------
    models
        Names of the zoo, such as cr or radiomics_lr; all models of the study file where none is given.
    study
        The study's id; may be left out where the store has one study.
    """
    from flows.train import train as train_study

    reports = train_study(Store(context.store), study, models)
    return Outcome("\n".join(_trained_text(each) for each in reports), reports)


def bench(
    *models: str,
    study: str | None = None,
    suite: Literal["paper", "honest"] = "paper",
    repeats: Count = REPEATS,
    folds: Annotated[int, Parameter(validator=Number(gte=2))] = FOLDS,
    controls: bool = False,
    control_repeats: Count = 1,
    workers: Workers = None,
    context: Shared,
) -> Outcome:
    """Judge a study's models alike, training what is missing.

    The paper suite judges trained models on the training and validation cohorts of their split. The honest suite
    judges the same recipes by repeated nested cross-validation over all labelled patients: whatever is fitted,
    selection and threshold included, is fitted again in every fold without the patients held out.

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
        How often the honest suite deals out the patients anew.
    folds
        Parts that the honest suite deals them out to.
    controls
        Also judge models where there is nothing to find: labels permuted over patients, and the intensities inside
        each mask shuffled among its voxels.
    control_repeats
        How often the honest suite's controls deal out the patients anew.
    workers
        Processes of the honest suite; as many as there are cores where not given.
    """
    from flows.bench import bench as bench_study

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
    return Outcome(bench_text(found), found)


def report(
    *,
    study: str | None = None,
    out: Path | None = None,
    open: bool = False,  # noqa: A002  (the option's name)
    context: Shared,
) -> Outcome:
    """Write a study's report, one HTML page that needs nothing beside it.

    Parameters
    ----------
    study
        The study's id; may be left out where the store has one study.
    out
        The file to write; the store's report/STUDY.html where not given. The catalogue goes to catalogue/ beside it.
    open
        Show it in the browser.
    """
    from flows.report.page import write_report

    file = write_report(Store(context.store), study, out)
    if open:
        webbrowser.open(file.as_uri())
    return Outcome(f"wrote {file}", {"report": str(file)})


def leaderboard_text(found: BenchReport) -> str:
    """Return a benchmark as people read it: intervals behind the AUC, rates to three digits."""
    rows = [
        {
            "model": row.model,
            "cohort": row.cohort,
            "n": f"{row.n} ({row.events} events)",
            "AUC (95 % CI)": f"{row.auc:.3f} ({row.auc_lo:.3f}-{row.auc_hi:.3f})",
            "plain DeLong": f"{row.auc_delong_lo:.3f}-{row.auc_delong_hi:.3f}",
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
    if found.controls:
        parts.append(_controls_text(found.controls))
    if opened:
        parts.append("\n".join(opened))
    return "\n\n".join(parts)


def _controls_text(found: Sequence[ControlRow]) -> str:
    rows = [
        {
            "negative control": row.control.replace("_", " "),
            "model": row.model,
            "cohort": row.cohort,
            "n": f"{row.n} ({row.events} events)",
            "AUC (95 % CI)": f"{row.auc:.3f} ({row.auc_lo:.3f}-{row.auc_hi:.3f})",
            ".5 lies in it": "yes" if row.holds_chance else "NO",
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


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _trained_text(found: TrainReport) -> str:
    left_out = f", {found.excluded} left out for want of an input" if found.excluded else ""
    what = "trained" if found.trained else "unchanged"
    return f"{found.model} v{found.version}: {what} ({found.patients} patients in the split{left_out})"
