"""The demonstration: write the study, ingest, refresh, train, bench, report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.bench.run import BenchReport, bench
from flows.demo.files import PUBLISHED_PATIENTS, ImageFormat, demo_study
from flows.demo.phantom.liver import DEFAULT_SCALE
from flows.engine.progress import say
from flows.ingest.report import IngestReport
from flows.ingest.run import ingest
from flows.refresh.report import FeatureSetReport
from flows.refresh.run import refresh
from flows.report.page import write_report
from store.home import Store
from zoo.members import MEMBERS

__all__ = ["DemoReport", "demonstration"]


@dataclass(frozen=True)
class DemoReport:
    """What the demonstration did, and where its results lie."""

    ingested: IngestReport
    refreshed: tuple[FeatureSetReport, ...]
    cross_validated: BenchReport | None
    """The models that read tables, out of fold; None of fewer patients than the published ones, too few for it."""
    benched: BenchReport
    """All models on the held-out cohort."""
    study_file: Path
    report: Path
    analyst_file: Path


def demonstration(
    folder: Path,
    store_root: Path,
    *,
    patients: int,
    full: bool,
    format: ImageFormat = "nifti",  # noqa: A002
    workers: int | None = None,
) -> DemoReport:
    """Run the example study from end to end and return what was done.

    Parameters
    ----------
    folder : Path
        Where study files, images and the report go.
    store_root : Path
        The store.
    patients : int
        How many of the 165 patients.
    full : bool
        Draw the phantoms in true size instead of half of it, and train the networks as in the study.
    format : {"nifti", "dicom"}
        Of images and masks.
    workers : int, optional
        Worker processes.
    """
    counts = (
        "clinical counts as published"
        if patients == PUBLISHED_PATIENTS
        else "too few patients for the published counts"
    )
    say(f"step 1 of 5: the study's files ({counts}; patients and images synthetic)")
    scale = 1.0 if full else DEFAULT_SCALE
    study_file = demo_study(folder / "study", patients=patients, scale=scale, full=full, format=format, workers=workers)
    say("step 2 of 5: ingest")
    ingested = ingest(study_file, store_root, workers=workers)
    store = Store(store_root)
    say("step 3 of 5: refresh, the features that the store lacks")
    refreshed = refresh(store, ingested.study, workers=workers)
    say("step 4 of 5: train and bench")
    benched = bench(store, ingested.study, workers=workers)
    cross_validated = None
    if patients == PUBLISHED_PATIENTS:
        judged = dict.fromkeys(row.model for row in benched.leaderboard)
        tabular = [model for model in judged if not MEMBERS[model].is_network]
        cross_validated = bench(store, ingested.study, models=tabular, suite="nested-cv", workers=workers)
    say("step 5 of 5: report")
    report = write_report(store, ingested.study, folder / "report" / "index.html")
    return DemoReport(ingested, tuple(refreshed), cross_validated, benched, study_file, report, store.analyst_file)
