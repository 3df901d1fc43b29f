"""What was computed before an erasure and is committed after it: the store is as if it had been committed before."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.store import EXCLUDED, fill, key_of, put_segment, record_of

from schemas.errors import StoreBusyError
from schemas.keys import canonical_json
from store.analyst.export import export_snapshot
from store.catalogue.connection import write_transaction
from store.catalogue.tables import VERSIONED, erasures
from store.commits.commit import commit_to
from store.erasure.erase import erase_patient, repeat_erasures
from store.history.basis import Basis, basis_of
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.datasets import pin_dataset
from store.rows.staged_units import stage_unit
from store.verification.verify import store_verification

PATIENT, OTHER, STUDY = "p1", "p2", {"study": "er"}
TRAINED = pa.table(
    {"patient": [PATIENT, OTHER, "p3"], "cohort": ["training", "training", "validation"], "AP__mean": [0.5, 1.5, 2.5]}
)
JUDGED = pa.table(
    {"patient": [PATIENT, OTHER, "p3"], "cohort": ["validation", "training", "training"], "AP__mean": [0.5, 1.5, 2.5]}
)


def pinned(store):
    """Return what a training has pinned: a dataset in which the patient trains, and one in which it does not."""
    named = {"study": "er", "split": "main", "commit_id": 3}
    return [
        pin_dataset(store, table, inputs={"columns": name}, **named)
        for name, table in (("trained", TRAINED), ("judged", JUDGED))
    ]


def land(commit, store, datasets):
    """Write what a training, an embedding, a benchmark and an ingest bring of the patient and of others."""
    own = [key_of(each, "late") for each in (PATIENT, OTHER)]
    records = [record_of(key, mean=9.0) for key in own]
    put_segment(store, commit, records)
    links = [STUDY | {"feature_set": "two-features@1", "extraction_id": each.extraction_id} for each in records]
    commit.put("study_extractions", links)
    commit.put("datasets", [vars(each) for each in datasets])
    excluded = json.dumps({"excluded": {PATIENT: "no image", OTHER: "no label"}, "removed": [], "univariable": []})
    row = STUDY | {"version": 1, "threshold": 0.5, "trained_at": "t", "summary": excluded}
    named = zip(("fitted", "judging"), datasets, strict=True)
    commit.put("models", [row | {"model": model, "dataset_id": each.dataset_id} for model, each in named])
    judged = STUDY | {"suite": "holdout", "model": "fitted", "cohort": "training", "fold": 0, "version": 1}
    commit.put("predictions", [judged | {"patient": each, "probability": 0.5, "label": 1} for each in (PATIENT, OTHER)])
    commit.put("patients", [{"patient": each} for each in (PATIENT, OTHER)])
    failed = STUDY | own[1]._asdict() | {"stage": "refresh", "feature_set": "", "feature": ""}
    commit.put("failures", [failed | {"reason": f"as that of '{PATIENT}'"}])


def content(store):
    """Return all rows of the catalogue, of all commits, without their numbers and the times of commits."""
    found = {}
    for name, table in VERSIONED.items():
        with store.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(table.select()).mappings()]
        kept = [{key: value for key, value in row.items() if key not in ("row_id", "recorded_at")} for row in rows]
        found[name] = sorted(kept, key=repr)
    return found


def files_that_name(store):
    """Return the files below the store that have the patient, compressed or not."""
    found = []
    for file in (each for each in store.root.rglob("*") if each.is_file()):
        text = (
            repr(pq.read_table(file).to_pydict()) if file.suffix == ".parquet" else file.read_bytes().decode("latin1")
        )
        found += [file.name] if f"'{PATIENT}'" in text or f'"{PATIENT}"' in text else []
    return found


@pytest.fixture(scope="module")
def landed_before(tmp_path_factory):
    """Return the content of a store whose last commit landed before the erasure."""
    before = Store(tmp_path_factory.mktemp("before") / "store", create=True)
    fill(before)
    with commit_to(before, "late") as commit:
        land(commit, before, pinned(before))
    erase_patient(before, PATIENT)
    found = content(before)
    before.engine.dispose()
    return found


@pytest.mark.parametrize("is_pinned_first", [True, False])
def test_the_store_is_as_if_it_had_been_committed_before(store_of_any_catalogue, landed_before, is_pinned_first):
    """Rows, segments, datasets, marks and texts are those of a commit that landed before the erasure."""
    store = store_of_any_catalogue
    fill(store)
    basis = basis_of(store)
    datasets = pinned(store) if is_pinned_first else []
    erase_patient(store, PATIENT)
    datasets = datasets or pinned(store)
    with commit_to(store, "late", basis=basis) as commit:
        land(commit, store, datasets)
    assert content(store) == landed_before
    stage_unit(store.staging / "bench-er", "unit", {"cr": {"probabilities": {PATIENT: 0.5}}})
    assert repeat_erasures(store, basis) == 1
    assert files_that_name(store) == []
    marks = {row["model"]: row["mark"] for row in Snapshot(store).rows("models", version=1)}
    assert (bool(marks["fitted"]), bool(marks["judging"])) == (True, False)
    assert [row["status"] for row in receipts(store)] == ["finished"]
    assert not findings(store)


def receipts(store):
    """Return the receipts of a store."""
    return [json.loads(row["receipt"]) for row in Snapshot(store).arrow("erasures").to_pylist()]


def findings(store):
    """Return what verify finds of files, erasures and the published file."""
    names = ("segments", "extractions", "datasets", "erasures", "published file")
    return [finding for check in store_verification(store).checks if check.name in names for finding in check.findings]


def test_a_dataset_that_is_on_record_keeps_what_is_left_of_it(filled):
    """A commit that names a dataset by the file it had before the erasure supersedes nothing."""
    store = filled
    datasets = pinned(store)
    with commit_to(store, "train") as commit:
        commit.put("datasets", [vars(each) for each in datasets])
    basis = basis_of(store)
    erase_patient(store, PATIENT)
    kept = Snapshot(store).rows("datasets")
    with commit_to(store, "train again", basis=basis) as commit:
        assert not commit.put("datasets", [vars(each) for each in datasets]).any
    assert Snapshot(store).rows("datasets") == kept
    assert not findings(store)


def test_whom_an_ingest_brought_back_stays(filled):
    """A patient whom an ingest that began after the erasure brought back is not taken out by older work."""
    store = filled
    basis = basis_of(store)
    erase_patient(store, PATIENT)
    with commit_to(store, "ingest", basis=basis_of(store)) as commit:
        commit.put("patients", [{"patient": PATIENT}])
        commit.put("clinical", [{"patient": PATIENT, "variable": "afp", "observed_at": "", "value": 3.0}])
    with commit_to(store, "late", basis=basis) as commit:
        commit.put("outcomes", [{"patient": PATIENT, "outcome": "er", "event": 1}])
    assert repeat_erasures(store, basis) == 1
    assert [row["value"] for row in Snapshot(store).rows("clinical", patient=PATIENT)] == [3.0]
    assert len(Snapshot(store).rows("outcomes", patient=PATIENT)) == 1
    erase_patient(store, PATIENT)
    assert [row["status"] for row in receipts(store)] == ["finished", "finished"]


def test_work_from_before_there_was_a_store(filled):
    """An ingest that began when there was no store leaves out who was erased before it lands."""
    store = filled
    erase_patient(store, PATIENT)
    with commit_to(store, "ingest", basis=Basis()) as commit:
        commit.put("patients", [{"patient": PATIENT}, {"patient": "new"}])
    assert [row["patient"] for row in Snapshot(store).rows("patients")] == [OTHER, "p3", EXCLUDED, "new"]


def test_damage_of_a_former_release_is_settled(filled):
    """Where a model names a dataset whose file an erasure removed, verify asks for the erasure, and it marks."""
    store = filled
    datasets = pinned(store)
    receipt = erase_patient(store, PATIENT)
    with commit_to(store, "train, as it was") as commit:
        commit.put("datasets", [vars(datasets[0])])
        row = STUDY | {"model": "late", "version": 1, "dataset_id": datasets[0].dataset_id, "threshold": 0.5}
        commit.put("models", [row | {"trained_at": "t", "summary": "{}"}])
    # As former releases kept it: the file was removed, not rewritten.
    receipt["files_removed"], receipt["files_rewritten"] = [datasets[0].path], []
    with write_transaction(store.engine) as connection:
        connection.execute(erasures.update().values(receipt=canonical_json(receipt)))
    (finding,) = findings(store)
    assert receipt["erasure_id"] in finding.what
    assert "store erase" in finding.hint
    assert "backup" not in finding.hint
    again = erase_patient(store, PATIENT)
    assert again["models_marked"][-1:] == ["er/late@1"]
    (row,) = Snapshot(store).rows("datasets", dataset_id=datasets[0].dataset_id)
    assert (row["path"], row["sha256"]) == (None, None)
    assert Snapshot(store).row("models", model="late")["mark"].startswith("trained on a patient erased")
    assert not findings(store)


def test_verify_finds_who_was_written_back(filled):
    """Rows of an erased patient whom no ingest brought back are a broken promise, until the patient is erased again."""
    store = filled
    erase_patient(store, PATIENT)
    with commit_to(store, "bench, as it was") as commit:
        commit.put("outcomes", [{"patient": PATIENT, "outcome": "er", "event": 1}])
    assert [each.where for each in findings(store)] == ["table outcomes"]
    erase_patient(store, PATIENT)
    assert not findings(store)


def test_an_export_is_not_written_with_whom_an_erasure_met_meanwhile(filled, tmp_path):
    """An export during which a patient is erased writes nothing, and says that it can be run again."""

    class Erasing(Snapshot):
        def arrow(self, table):
            found = super().arrow(table)
            # Not while the catalogue is being read, which would keep the erasure waiting.
            if table == "commits" and self._held is None:
                erase_patient(filled, PATIENT)
            return found

    with pytest.raises(StoreBusyError, match="was erased while") as caught:
        export_snapshot(Erasing(filled), tmp_path / "out")
    assert caught.value.hint == "run the command again"
    assert list(tmp_path.glob("*out*")) == []
    assert export_snapshot(Snapshot(filled), tmp_path / "out").commit_id == 3


def test_every_flow_says_what_its_commits_are_based_on():
    """No commit of the flows is made without a word on what its rows were computed from."""
    silent = []
    for file in sorted((Path(__file__).parents[3] / "flows").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "commit_to":
                silent += [] if "basis" in {each.arg for each in node.keywords} else [f"{file.name}:{node.lineno}"]
    assert silent == []
