"""The verbs that change the store's files: compact and erase, as a person meets them."""

from __future__ import annotations

import json
import os
import re
import shutil
from functools import partial

import pyarrow.parquet as pq
import pytest
from builders.command_line import printed

from flows.refresh.run import _carry_out_plan, _Means
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.erasure.erase import erase_patient
from store.history.basis import basis_of
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.rows.segments import store_segment
from store.verification.verify import store_verification

QUERY = "from quick order by patient, phase"


@pytest.fixture
def own_store(ready_study, tmp_path):
    """Return a copy of a real study's store, to be changed."""
    return shutil.copytree(ready_study.store_root, tmp_path / "store")


@pytest.fixture
def ask(own_store, capsys):
    """Return a function that runs a verb on the store and returns exit code, stdout and stderr."""
    return partial(printed, capsys, "--store", own_store)


def in_parts(store, rows_each=1):
    """Write a segment that starts at each row of the store's first, as many small refreshes would have."""
    segment = min(Snapshot(store).rows("segments"), key=lambda row: row["added_commit"])
    rows = pq.read_table(store.segments.local(segment["path"]))
    with commit_to(store, "small refreshes") as commit:
        for at in range(rows.num_rows - rows_each + 1):
            part = store_segment(store.segments, segment["feature_set"], rows.slice(at, rows_each))
            commit.put("segments", [vars(part)])
            named = Snapshot(store).row("extractions", extraction_id=rows["extraction_id"][at].as_py())
            named.pop("added_commit")
            commit.put("extractions", [named | {"segment_id": part.segment_id}])


def test_compact(ask, own_store):
    """Files and bytes before and after, what was removed, and the same answer; a second time there is nothing to do."""
    store = Store(own_store)
    in_parts(store)
    before = {as_of: answer(Snapshot(store, as_of), QUERY).to_pylist() for as_of in (None, 2)}
    code, out, _ = ask("store", "compact")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert lines[0] == ["feature_set", "rows", "files", "MB"]
    assert lines[2][:5] == ["quick@1", "8", "9", "->", "1"]
    assert out.splitlines()[-1] == "0 old files removed, 0.00 MB"
    assert {as_of: answer(Snapshot(store, as_of), QUERY).to_pylist() for as_of in (None, 2)} == before
    code, out, _ = ask("--json", "store", "compact", "--grace-hours", "0")
    told = json.loads(out)
    assert code == 0
    assert (told["feature_sets"][0]["files_before"], told["feature_sets"][0]["files_after"]) == (1, 1)
    # Of nine files eight go: merged again, the rows are the file that they were before they were cut.
    assert len(told["removed"]) == 8
    assert {as_of: answer(Snapshot(store, as_of), QUERY).to_pylist() for as_of in (None, 2)} == before
    assert ask("store", "verify")[0] == 0
    runs = Snapshot(store).arrow("runs").to_pylist()
    assert [row["status"] for row in runs if row["flow"] == "compact"] == ["done", "done"]
    code, _, err = ask("store", "compact", "--feature-set", "elsewhere@1")
    assert (code, "one of: quick@1" in err) == (3, True)


def test_a_refresh_merges_what_lies_in_very_many_files(small_study, capsys):
    """With 32 small files a refresh leaves them alone, with 33 it merges them all; old and new answers stay."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    store = small_study.store
    for rows_each in (1, 2, 3, 4, 6):  # 8 + 7 + 6 + 5 + 3 files, beside the first
        in_parts(store, rows_each)
    past = Snapshot(store).commit_id
    before = answer(Snapshot(store, past), QUERY).to_pylist()
    assert len(before) == 8
    for patient, files in (("P5", 31), ("P6", 32), ("P7", 1)):
        row = f"{patient},1,training,,male\n"
        table = small_study.folder / "patients.csv"
        table.write_text(table.read_text() + row)
        for phase in small_study.phases:
            small_study.write_image(patient, phase)
            small_study.write_mask(patient, phase)
        small_study.ingest()
        capsys.readouterr()
        small_study.refresh_without_prefect()
        assert len({each["segment_id"] for each in Snapshot(store).rows("segments")}) == files
        assert ("33 small files" in capsys.readouterr().err) == (files == 1)
    assert answer(Snapshot(store, past), QUERY).to_pylist() == before
    now = answer(Snapshot(store), QUERY).to_pylist()
    assert len(now) == 14
    assert [each for each in now if each["patient"] < "P5"] == before
    assert store_verification(store).is_clean


def test_erase(ask, own_store, tmp_path):
    """First a look, then a refusal to go on unasked, then the erasure, its receipt in a file, and what stays."""
    code, out, _ = ask("store", "erase", "P2", "--dry-run")
    assert code == 0
    assert out.endswith("nothing was removed\n")
    assert re.search(r"^masks +2$", out, re.M)
    assert "2 extractions removed, 0 kept for other patients; 1 segment and 0 datasets rewritten" in out
    code, _, err = ask("store", "erase", "P2")
    assert (code, "--yes" in err) == (2, True)
    code, _, err = ask("store", "erase", "p22", "--yes")
    assert (code, "the nearest: P2" in err) == (3, True)
    (own_store / "notes.txt").write_text("call P2 back")
    receipt = tmp_path / "receipt.json"
    code, out, _ = ask("store", "erase", "P2", "--yes", "--receipt", receipt)
    assert code == 0
    assert out.startswith("erased, receipt ")
    assert "\n  notes.txt\n" in out
    assert "the next ingest brings back a patient who stands there" in out
    given = json.loads(receipt.read_text())
    assert "P2" not in re.findall(r"[A-Za-z0-9]+", receipt.read_text())
    store = Store(own_store)
    (row,) = answer(Snapshot(store, 1), "from erasures").to_pylist()
    assert (row["erasure_id"], row["status"], row["files_rewritten"]) == (given["erasure_id"], "finished", 1)
    assert row["rows_removed"] == sum(each["rows"] for each in given["rows_removed"])
    assert {each["patient"] for each in answer(Snapshot(store), QUERY).to_pylist()} == {"P1", "P3", "P4"}
    assert ask("store", "verify")[0] == 0
    code, out, _ = ask("store", "erase", "P2", "--yes")
    assert (code, given["erasure_id"] in out) == (0, True)
    assert ask("store", "erase", "P22", "--yes")[0] == 3


def test_erase_asks_on_a_terminal(own_store, monkeypatch, ask):
    """On a terminal the person is asked; anything but yes removes nothing."""
    terminal, keyboard = os.openpty()
    with os.fdopen(keyboard) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        os.write(terminal, b"no\n")
        code, _, err = ask("store", "erase", "P1")
        assert (code, "This cannot be undone" in err, "nothing was removed" in err) == (2, True, True)
        os.write(terminal, b"yes\n")
        assert ask("store", "erase", "P1")[0] == 0
    os.close(terminal)
    assert "P1" not in {row["patient"] for row in Snapshot(Store(own_store)).rows("patients")}


def test_a_refresh_does_not_write_an_erased_patient_back(small_study):
    """A patient who is erased between a refresh's plan and its commit is in no row, file or staged result."""
    small_study.ingest()
    small_study.stage()
    store = small_study.store
    basis, plan = basis_of(store), small_study.plan()
    (folder,) = store.staging.iterdir()
    finished = {file: file.read_bytes() for file in folder.iterdir()}
    erase_patient(store, "P2")
    # Workers that were still at it finish the patient's extractions after the erasure.
    for file, content in finished.items():
        file.write_bytes(content)
    report = _carry_out_plan(store, stored_study(small_study.snapshot, "small"), plan, _Means(1, "fast", None), basis)
    assert (report.reused, report.computed, report.commit_id) == (6, 0, 2)
    assert {row["patient"] for row in small_study.sql("from quick")} == {"P1", "P3", "P4"}
    (segment,) = small_study.snapshot.rows("segments")
    assert segment["rows"] == len(small_study.snapshot.rows("extractions")) == 6
    assert list(folder.iterdir()) == []
    assert store_verification(store).is_clean
