"""A benchmark whose fits are done by the workers of a real Dask cluster has the figures of one on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from builders.cohorts import write_published_study
from builders.store import rows_of
from clusters.dask_processes import running_dask

from flows.bench.nested_cv import nested_cv_plan
from flows.bench.remote_fit import RemoteFit, fit_on_worker
from flows.bench.run import bench
from flows.engine.runners.environment import environment
from flows.ingest.run import ingest
from schemas.errors import ContractError
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.benchmark.fold_fits import FitTask, fitted_task

TABLES = ("predictions", "leaderboard", "subgroups", "comparisons")
MODELS = ("cr", "nlr")


@pytest.fixture(scope="module")
def study_root(tmp_path_factory: pytest.TempPathFactory, tiny_images: Path) -> Path:
    """Return the store of the published cohort with a clinical model and a blood ratio, ingested."""
    file, root = write_published_study(tmp_path_factory.mktemp("clinical"), tiny_images)
    file.write_text(file.read_text() + "\n[models.nlr]\n")
    ingest(file, root, workers=1)
    return root


@pytest.fixture(scope="module")
def fit(study_root: Path) -> FitTask:
    """Return one fold's fit of both models."""
    snapshot = Snapshot(Store(study_root))
    plan = nested_cv_plan(snapshot, stored_study(snapshot, None), list(MODELS), repeats=1, folds=2)
    return plan.tasks[0]


@pytest.mark.slow
def test_a_cluster_finds_the_figures_of_this_machine(study_root, tmp_path, prefect_server):
    """Predictions, leaderboard and comparisons are the same rows, to the last bit."""
    here, there = (Path(shutil.copytree(study_root, tmp_path / name)) for name in ("here", "there"))
    bench(Store(here), models=MODELS, suite="nested-cv", repeats=1, folds=2, workers=2)
    entry = "from flows.cli.main import main; main()"
    with running_dask(tmp_path) as cluster:
        options = ["--suite", "nested-cv", "--repeats", "1", "--folds", "2", "--runner", cluster.runner]
        done = subprocess.run(
            [sys.executable, "-c", entry, "--store", str(there), "bench", *MODELS, *options],
            env=os.environ | {"PREFECT_API_URL": prefect_server},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    for name in TABLES:
        found = [rows_of(Store(root), f"from {name} order by all") for root in (here, there)]
        assert found[0]
        assert found[0] == found[1], name
    runs = rows_of(Store(there), "select summary from runs where flow = 'bench'")
    assert {json.loads(row["summary"])["runner"] for row in runs} == {cluster.runner}


def test_a_table_that_a_worker_cannot_read_is_sent_to_it(fit, tmp_path):
    """Asked for by its hash where its path is another machine's, and kept: the next fit need not bring it."""
    far = replace(fit, recipes=tuple(replace(each, dataset=tmp_path / "far.parquet") for each in fit.recipes))
    asked = RemoteFit(far, environment())
    tables = {each.dataset_sha256: each.dataset.read_bytes() for each in fit.recipes}
    assert fit_on_worker(asked).lacking == set(tables)
    with pytest.raises(ContractError, match="is not what its hash says"):
        fit_on_worker(replace(asked, tables={sha256: content[:-1] for sha256, content in tables.items()}))
    expected = json.dumps(fitted_task(fit))
    assert fit_on_worker(replace(asked, tables=tables)).result == expected
    assert fit_on_worker(asked).result == expected
    assert fit_on_worker(RemoteFit(fit, environment())).result == expected


def test_a_fit_is_not_done_with_other_libraries(fit):
    """A worker that joined late and has another release refuses the fit."""
    with pytest.raises(ContractError, match=r"scikit-learn \S+ instead of 0\.1"):
        fit_on_worker(RemoteFit(fit, environment() | {"scikit-learn": "0.1"}))
