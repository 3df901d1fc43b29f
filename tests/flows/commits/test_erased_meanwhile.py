"""A patient is erased while a verb runs: nothing of the patient lands, models are marked, and a line says so."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

import pytest

import flows.bench.run
import flows.ingest.run
import flows.keep.compact
import flows.refresh.run
import flows.report.page
from flows.bench.run import bench
from flows.commits.erased_meanwhile import carry_out
from flows.commits.publication import publish_landed
from flows.keep.compact import compact
from flows.report.page import write_report
from schemas.errors import ContractError, LostConnectionError, NotFoundError
from store.catalogue.connection import read_transaction
from store.catalogue.tables import VERSIONED
from store.commits import commit as commits
from store.commits.commit import commit_to
from store.erasure.erase import erase_patient, repeat_erasures
from store.history.basis import basis_of
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.verification.verify import store_verification
from zoo.models.training import fit_and_save_model, plan_trainings
from zoo.saving.persist import folder_sha256


@pytest.fixture
def own_trained(trained_study, tmp_path):
    """Return a copy of the store with trained models, to be changed."""
    return Store(shutil.copytree(trained_study.store_root, tmp_path / "store"))


def just_before_the_commit(monkeypatch, module, store, patient):
    """Let a patient be erased when a flow is about to commit, the first time that it does."""

    @contextmanager
    def after_an_erasure(*arguments, **options):
        if not Snapshot(store).arrow("erasures").num_rows:
            erase_patient(store, patient)
        with commits.commit_to(*arguments, **options) as commit:
            yield commit

    monkeypatch.setattr(module, "commit_to", after_an_erasure)


def assert_nothing_is_left(store, patient):
    """Assert that no row has the patient, and that verify, which looks into files, is clean."""
    with read_transaction(store.engine) as connection:
        for name, table in VERSIONED.items():
            assert f"'{patient}'" not in repr(connection.execute(table.select()).all()), name
    found = store_verification(store, folder_hash=folder_sha256)
    assert [finding for check in found.checks for finding in check.findings] == []
    statuses = [json.loads(row["receipt"])["status"] for row in Snapshot(store).arrow("erasures").to_pylist()]
    assert statuses == ["finished"]


def test_ingest(small_study, monkeypatch, capsys):
    """An ingest that was under way does not bring the patient back who still stands in its table; the next one does."""
    small_study.ingest()
    small_study.edit("P2,0,training,420,female", "P2,0,training,421,female", file="patients.csv")
    small_study.edit("P3,1,validation,8.5,female", "P3,1,validation,9.5,female", file="patients.csv")
    with monkeypatch.context() as patched:
        just_before_the_commit(patched, flows.ingest.run, small_study.store, "P2")
        assert small_study.ingest().commit_id == 2
    assert "1 patient was erased meanwhile: left out" in capsys.readouterr().err
    assert_nothing_is_left(small_study.store, "P2")
    assert [row["value"] for row in small_study.snapshot.rows("clinical", patient="P3", variable="afp")] == [9.5]
    small_study.ingest()
    assert len(small_study.snapshot.rows("masks", patient="P2")) == 2


def test_refresh(small_study, monkeypatch):
    """A refresh commits the other patients' rows."""
    small_study.ingest()
    small_study.stage()
    just_before_the_commit(monkeypatch, flows.refresh.run, small_study.store, "P2")
    assert small_study.refresh().commit_id == 2
    assert_nothing_is_left(small_study.store, "P2")
    assert {row["patient"] for row in small_study.sql("from quick")} == {"P1", "P3", "P4"}


@pytest.mark.parametrize(("patient", "is_marked"), [("T02", True), ("T50", False)])
def test_train(own_trained, patient, is_marked):
    """A model that was fitted to an erased patient lands marked, one that was only to be judged on the patient not."""
    study = stored_study(Snapshot(own_trained), "tried")
    basis = basis_of(own_trained)
    plans = plan_trainings(Snapshot(own_trained), study, ["cr", "radiomics_knn"])
    trained = [fit_and_save_model(own_trained, study, plan, "2026-01-01T00:00:00+00:00") for plan in plans]
    erase_patient(own_trained, patient)
    with commit_to(own_trained, "train", basis=basis) as commit:
        commit.put("datasets", [vars(each.dataset) for each in trained])
        rows = [each.row | {"version": 2} for each in trained]
        commit.put("models", rows)
    late = Snapshot(own_trained).rows("models", version=2)
    assert [bool(row["mark"]) for row in late] == [is_marked, is_marked]
    repeat_erasures(own_trained, basis)
    assert_nothing_is_left(own_trained, patient)


def test_bench(own_trained, monkeypatch):
    """A benchmark leaves no prediction of the patient; its models are marked."""
    just_before_the_commit(monkeypatch, flows.bench.run, own_trained, "T02")
    bench(own_trained, "tried")
    assert_nothing_is_left(own_trained, "T02")
    assert all(row["mark"] for row in Snapshot(own_trained).rows("models"))


def test_report(own_trained, monkeypatch, tmp_path):
    """A page that was made before the erasure is made again after it, also one that lies elsewhere."""
    pages = []

    def written(file, text):
        pages.append(text)
        if not Snapshot(own_trained).arrow("erasures").num_rows:
            erase_patient(own_trained, "T02")
        return write_page(file, text)

    write_page = flows.report.page.write_page
    monkeypatch.setattr(flows.report.page, "write_page", written)
    file = write_report(own_trained, "tried", tmp_path / "page.html")
    assert len(pages) == 4
    assert file.read_text() == pages[-1] != pages[1]


def test_compact(own_trained, monkeypatch):
    """A compaction during which a patient is erased leaves no file that has the patient."""

    def publishing(store):
        if not Snapshot(own_trained).arrow("erasures").num_rows:
            erase_patient(own_trained, "T02")
        publish_landed(store)

    monkeypatch.setattr(flows.keep.compact, "publish_landed", publishing)
    compact(own_trained)
    assert_nothing_is_left(own_trained, "T02")


def test_work_whose_files_went_begins_again(own_trained, capsys):
    """Work that fails after an erasure is carried out again from the new state; what fails again fails."""
    seen = []

    def reading(basis):
        (row,) = Snapshot(own_trained).rows("datasets")[:1]
        if not seen:
            erase_patient(own_trained, "T02")
        seen.append(basis)
        return own_trained.files.local(row["path"])

    assert carry_out(own_trained, reading).exists()
    assert len(seen) == 2
    assert "starting again without" in capsys.readouterr().err

    def failing(_):
        seen.append(None)
        raise NotFoundError("there is no such thing")

    with pytest.raises(NotFoundError, match="no such thing"):
        carry_out(own_trained, failing)
    assert len(seen) == 3


@pytest.mark.parametrize(("error", "times"), [(LostConnectionError("gone"), 3), (ContractError("wrong"), 1)])
def test_work_whose_connection_is_lost_is_carried_out_three_times_at_most(error, times, own_trained, capsys):
    """What was open is undone, so that it can be repeated; a contract error never is."""
    begun = []

    def work(_):
        begun.append(1)
        raise error

    with pytest.raises(type(error)):
        carry_out(own_trained, work)
    assert len(begun) == times
    assert capsys.readouterr().err.count("gone; starting again, what was finished is taken over") == times - 1
