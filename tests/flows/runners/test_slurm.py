"""A refresh on a real Slurm of one node: by the documentation's job script, and by workers of dask-jobqueue."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from builders.store import rows_of
from clusters.runs import content, wait_for
from clusters.slurm_daemons import running_slurm

from flows.refresh.run import refresh
from store.home import Store

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs" / "examples" / "slurm"

pytestmark = pytest.mark.slow


@pytest.fixture
def slurm():
    """Give a Slurm of one node, without jobs."""
    if find_spec("distributed") is None:
        pytest.skip("dask.distributed is not installed: pip install 'radzoo[dask]'")
    with running_slurm() as running:
        yield running


@pytest.fixture
def copied(small_study):
    """Give a study that is ingested, the same store a second time, and what a refresh on this machine makes of it."""
    small_study.ingest()
    there = Path(shutil.copytree(small_study.store_root, small_study.store_root.parent / "there"))
    refresh(small_study.store, workers=1)
    return small_study, there, content(small_study.store)


def commanded(slurm, server, there):
    """Return the environment of who submits: the modules that are tested, and Prefect's server of the session."""
    own = {"PYTHONPATH": str(ROOT), "PREFECT_API_URL": server, "PYTHONWARNINGS": "ignore"}
    return os.environ | own | slurm.environment | {"RADZOO_PYTHON": sys.executable, "RADZOO_STORE": str(there)}


def runners(root):
    """Return which runners the refreshes of a store had."""
    runs = rows_of(Store(root), "select parameters from runs where flow = 'refresh'")
    return [json.loads(each["parameters"])["runner"] for each in runs]


def test_the_job_script_of_the_documentation_commits_what_this_machine_would(copied, slurm, prefect_server, tmp_path):
    """The rows are the same; scheduler, workers, scratch and the file by which they met are gone with the job."""
    study, there, expected = copied
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = commanded(slurm, prefect_server, there) | {"RADZOO_SCRATCH": str(scratch)}
    size = ("--ntasks=2", "--mem-per-cpu=1G", "--time=10", f"--output={tmp_path / 'said'}")
    subprocess.run(
        ["sbatch", *size, EXAMPLES / "refresh.sh", study.study_id], env=environment, cwd=tmp_path, check=True
    )
    wait_for(lambda: not slurm.jobs(), 180)
    said = (tmp_path / "said").read_text()
    assert "ExitCode=0:0" in slurm.told("scontrol", "show", "job", "1"), said
    assert "computed 8, reused 0, failed 0" in said
    assert content(Store(there)) == expected
    (runner,) = runners(there)
    assert runner.startswith("dask://")
    assert list(scratch.iterdir()) == []
    assert list(tmp_path.glob("*.json")) == []


def test_workers_that_dask_jobqueue_submits_commit_what_this_machine_would(copied, slurm, prefect_server, tmp_path):
    """The example's program: each worker a job of its own, and no job left when it ends."""
    if find_spec("dask_jobqueue") is None:
        pytest.skip("dask-jobqueue is not installed: pip install dask-jobqueue")
    study, there, expected = copied
    place = os.pathsep.join([str(ROOT), *(each for each in sys.path if (Path(each) / "dask_jobqueue").is_dir())])
    words = [sys.executable, EXAMPLES / "workers.py", there, study.study_id, "2", "1GB", "00:10:00"]
    environment = commanded(slurm, prefect_server, there) | {"PYTHONPATH": place}
    done = subprocess.run(
        words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "computed 8, reused 0, failed 0" in done.stdout
    assert content(Store(there)) == expected
    wait_for(lambda: not slurm.jobs())


@pytest.mark.parametrize("file", sorted(each.name for each in EXAMPLES.iterdir() if each.is_file()))
def test_the_documentation_names_what_was_run(file):
    """The text has no script of its own that nobody ran."""
    assert f"(examples/slurm/{file})" in (ROOT / "docs" / "more-machines.md").read_text()
