"""The verbs of the zoo: train, bench, report."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.bench import BenchReport
from flows.bench import bench as bench_study
from flows.cli.outcome import Context, Outcome, table_text
from flows.report.page import write_report
from flows.train import TrainReport
from flows.train import train as train_study
from store.home import Store

__all__ = ["bench", "leaderboard_text", "report", "train"]

Shared = Annotated[Context, Parameter(parse=False)]


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
    reports = train_study(Store(context.store), study, models)
    return Outcome("\n".join(_trained_text(each) for each in reports), reports)


def bench(*, study: str | None = None, context: Shared) -> Outcome:
    """Judge a study's models on the same split, training what is missing.

    Parameters
    ----------
    study
        The study's id; may be left out where the store has one study.
    """
    found = bench_study(Store(context.store), study)
    return Outcome(leaderboard_text(found), found)


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


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _trained_text(found: TrainReport) -> str:
    left_out = f", {found.excluded} left out for want of an input" if found.excluded else ""
    what = "trained" if found.trained else "unchanged"
    return f"{found.model} v{found.version}: {what} ({found.patients} patients in the split{left_out})"
