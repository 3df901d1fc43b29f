"""The study report: one HTML page that needs nothing beside it; its numbers are read by SQL, drift is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.commits.erased_meanwhile import carry_out
from flows.overview.page import FOLDER, overview_text
from flows.pages import words
from flows.pages.page import page_text, write_page
from flows.pages.questions import Questions
from flows.report.flow import patient_flow
from flows.report.monitoring import drift_cautions, monitored_parts
from flows.report.performance import performance
from flows.report.sections import clinical_table, feature_sets, model_parts
from flows.report.summary import cautions, headline_model, summary, weighed_models
from flows.report.table_one import table_one
from schemas.errors import UsageError
from schemas.features.grey_levels import FEWEST_LEVELS
from schemas.study.file import Study
from store.analyst.query import READ_BY_MANY, snapshot_connection
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.registry import REGISTRY

__all__ = ["write_report"]


def write_report(store: Store, study: str | None, out: Path | None = None) -> Path:
    """Write a study's report, the overview that it links to beside it, and return the report's file.

    The same state of the store gives the same bytes: the only times in it are those the store recorded.

    Parameters
    ----------
    store : Store
        The store.
    study : str or None
        The study's id; None where the store has one study.
    out : Path, optional
        The file to write; ``report/STUDY.html`` below the store's folder where absent.

    Raises
    ------
    NotFoundError
        When there is no such study, or none is named and the store has several.
    UsageError
        When ``out`` is a folder.
    """
    return carry_out(store, lambda _: _write(store, study, out), only_reads=True)


def _write(store: Store, study: str | None, out: Path | None) -> Path:
    snapshot = Snapshot(store)
    stored = stored_study(snapshot, study)
    asked = stored.id
    file = (out or store.root / "report" / f"{asked}.html").resolve()
    if file.is_dir():
        raise UsageError(f"'{file}' is a folder", hint=f"--out {file / asked}.html")
    with snapshot_connection(snapshot, computed=READ_BY_MANY) as connection:
        expected = Questions(connection, "expect", study=asked).ask("expectations")
        contents = _contents(Questions(connection, "report", study=asked), stored)
        monitored = monitored_parts(store, snapshot, stored)
        contents |= {"expectations": expected, "monitored": monitored}
        contents["cautions"] = [*contents["cautions"], *drift_cautions(monitored)]
        page = page_text("report", contents)
        overview = overview_text(connection)
    write_page(file.parent / FOLDER / "index.html", overview)
    return write_page(file, page)


def _contents(questions: Questions, stored: Study) -> dict[str, Any]:
    """Return all that the page shows; every part of it comes from an answer that keeps its SQL."""
    study, cohorts, rates = (questions.ask(name) for name in ("study", "cohorts", "rates"))
    models, sets = questions.ask("models"), questions.ask("feature_sets")
    bases = {row["model"]: row["base"] for row in models.rows}
    suites = performance(questions, bases, stored.net_benefit_range)
    split = next((row["split"] for row in models.rows if row["split"]), None)
    split = split or next((row["split"] for row in cohorts.rows), None)
    outcome = study.rows[0]["outcome"]
    parts = model_parts(models, questions, [row for suite in suites for row in suite.leaderboard.rows])
    return {
        "study": study.rows[0],
        "study_answer": study,
        "outcome": words.readable_name(outcome or "the outcome"),
        "flow": patient_flow(questions, split, words.readable_name(outcome) if outcome else None),
        "cohorts": cohorts,
        "rates": rates,
        "split": split,
        "suites": suites,
        "headline": headline_model(suites),
        "weighed": weighed_models(models.rows),
        "optimism": questions.ask("optimism"),
        "summary": summary(study.rows[0], cohorts.rows, rates.rows, suites, weighed_models(models.rows)),
        "cautions": cautions(suites),
        "models": models,
        "parts": parts,
        "registry": dict(REGISTRY),
        "table_one": table_one(questions, split),
        "clinical": clinical_table(questions, split),
        "acquisitions": questions.ask("acquisitions", split=split),
        "agreement": questions.ask("agreement"),
        "openings": questions.ask("openings"),
        "quality": questions.ask("quality"),
        "left_out": questions.ask("left_out"),
        "sets": sets,
        "features": feature_sets(sets, questions, split),
        "fewest_levels": FEWEST_LEVELS,
        "failures": questions.ask("failures"),
        "commit_answer": questions.ask("commit"),
        "runs": questions.ask("runs"),
        "versions": questions.ask("versions"),
    }
