"""What one machine has finished another one takes over, where the store's data are a bucket."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import pytest
from builders.study import SmallStudy, counts
from killing import damage, end_state, ingested, reached, started

from flows.refresh.run import refresh
from flows.refresh.staged import shared_staging_of
from store.address import write_address
from store.compaction.leftovers import remove_orphan_files
from store.erasure.erase import erase_patient
from store.home import Store
from store.rows.shared_staging import old_shared, shared_records, shared_staging
from store.rows.staging import staged_ids
from store.verification.verify import store_verification


class Machine(SmallStudy):
    """A study as one machine sees it, with the connection that it keeps open."""

    @cached_property
    def store(self) -> Store:
        """Return the store, opened once."""
        return Store(self.store_root)


@pytest.fixture
def machines(tmp_path: Path, new_address: Callable[..., object]) -> Iterator[tuple[Machine, Machine]]:
    """Give an ingested study as two machines see it: one store on PostgreSQL and S3, a folder each."""
    address = new_address("postgresql-s3", with_tables=True)
    first = Machine(tmp_path / "study", tmp_path / "first")
    second = Machine(first.folder, tmp_path / "second")
    first.write()
    for each in (first, second):
        write_address(each.store_root, address)
    # In a process of its own, which leaves no connection open here.
    assert radzoo(first, "ingest", str(first.file)) == 0
    with closing(first.store), closing(second.store):
        yield first, second


def radzoo(machine: Machine, *arguments: str) -> int:
    """Run a verb as its own process and return its exit code."""
    entry = "from flows.cli.main import main; main()"
    command = [sys.executable, "-c", entry, "--store", str(machine.store_root), *arguments]
    paths = {"PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(command, env=os.environ | paths, check=False, capture_output=True).returncode


def stage(study: Machine, *patients: str) -> set[str]:
    """Finish some patients' extractions as a run does that ends before its commit, and return their ids."""
    study.stage(patients=patients or None)
    plan = study.plan()
    ids = {each.extraction_id for each in plan.staged}
    shared_staging_of(study.store, plan.bound).share(ids)
    return ids


def waiting(study: Machine) -> list[str]:
    """Return the paths of staged extractions in the bucket."""
    folder = shared_staging(study.store)
    assert folder is not None
    return [path for path, _ in shared_records(folder)]


def test_another_machine_commits_what_the_first_has_finished(machines):
    """Nothing is computed again: the plan counts it, the refresh fetches and commits it, and it waits no longer."""
    first, second = machines
    ids = stage(first)
    assert len(ids) == 8
    (planned,) = refresh(second.store, dry_run=True)
    assert (planned.computed, planned.reused) == (0, 8)
    assert not second.store.staging.exists()
    assert counts(second.refresh()) == (0, 8, 0, 0)
    assert waiting(second) == []
    # The first machine's own are leftovers by now, which its next refresh tidies away.
    assert counts(first.refresh()) == (0, 0, 0, 8)
    assert not [each for folder in first.store.staging.iterdir() for each in staged_ids(folder)]


def test_what_is_no_record_is_not_taken_over(machines):
    """A damaged one is left, found by verify, removed by its repair, and computed again."""
    first, second = machines
    stage(first)
    folder = shared_staging(first.store)
    path = waiting(first)[0]
    damaged = first.store_root / "damaged"
    damaged.write_bytes(b'{"extraction_id": "another"}')
    folder.upload(damaged, path)
    plan = second.plan()
    wanted = {each.extraction_id for each in plan.staged}
    assert len(wanted) == 8
    assert len(shared_staging_of(second.store, plan.bound).take_over(wanted)) == 7
    found = [each.what for check in store_verification(first.store).checks for each in check.findings]
    assert found == ["no staged extraction of its name"]
    assert radzoo(first, "store", "verify", "--repair") == 0
    assert len(waiting(first)) == 7


def test_who_is_erased_is_in_no_staged_object(machines):
    """Whichever machine erases: the bucket has none, and a run of before brings none back."""
    first, second = machines
    stage(first)
    assert erase_patient(second.store, "P1")["staged_removed"] == 2
    assert len(waiting(first)) == 6
    # What a machine that was killed meanwhile brings after the erasure is found by verify, and goes with the next one.
    plan = first.plan()
    late = [each for folder in first.store.staging.iterdir() for each in staged_ids(folder)]
    shared_staging_of(first.store, plan.bound).share(late)
    (check,) = (each for each in store_verification(second.store).checks if each.name == "erasures")
    assert len(check.findings) == 2
    assert counts(second.refresh()) == (0, 6, 0, 0)
    assert len(waiting(second)) == 2
    erase_patient(second.store, "P1")
    assert waiting(second) == []


def test_what_nobody_takes_over_goes_after_two_weeks(machines):
    """Compaction removes it from the bucket; what is younger stays."""
    first, _ = machines
    stage(first, "P1")
    folder = shared_staging(first.store)
    assert folder is not None
    assert list(old_shared(folder, datetime.now(UTC))) == []
    assert list(old_shared(folder, datetime.now(UTC) + timedelta(days=15))) == waiting(first)
    assert remove_orphan_files(first.store, grace=timedelta(0)) == []
    assert len(waiting(first)) == 2


@pytest.mark.slow
# ingest leaves its connections to the server to the process's end, which of a verb is near.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_killed_run_goes_on_on_another_machine(tmp_path, new_address, prefect_server):
    """After kill -9 of the one the other computes what is missing alone, and the store is what it would have been."""
    address = new_address("postgresql-s3", with_tables=True)
    first, second = tmp_path / "store", tmp_path / "other"
    for root in (first, second):
        write_address(root, address)
    ingested(tmp_path)
    gc.collect()
    running = started(first, prefect_server, 1)
    reached(running, first, "staged", 4)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    with closing(Store(second)) as store:
        folder = shared_staging(store)
        shared = len(list(folder.paths()))
        assert shared >= 2
    running = started(second, prefect_server, 1)
    assert running.wait(timeout=300) == 0
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    SmallStudy(undisturbed / "study", ingested(undisturbed), "killed").refresh_without_prefect()
    with closing(Store(second)) as store:
        assert damage(store) == []
        assert end_state(store) == end_state(Store(undisturbed / "store"))
        assert list(shared_staging(store).paths()) == []
