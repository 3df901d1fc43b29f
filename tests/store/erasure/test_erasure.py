"""Erasure: the patient is in no answer and no byte, whoever shared an image, wherever a process was killed."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.store import key_of, put_features, put_segment, record_of
from sqlalchemy import text

from schemas.errors import ContractError, NotFoundError, StoreBusyError
from schemas.keys import RESERVED_VIEWS
from store.analyst.publish import publish_snapshot
from store.analyst.query import snapshot_connection
from store.catalogue.connection import is_postgresql, read_transaction
from store.catalogue.tables import metadata
from store.commits.commit import commit_to
from store.erasure import erase as erasure
from store.erasure.erase import erase_patient, planned_erasure
from store.erasure.mentions import ERASED, without_patient
from store.history.runs import record_run
from store.history.snapshot import Snapshot, newest_commit
from store.home import Store
from store.rows.datasets import pin_dataset
from store.rows.staged_units import stage_unit
from store.rows.staging import stage

FEATURE_SET = "two-features@1"
PATIENT = "zq-patient"
OTHER = "zq-patient-2"
"""The pseudonym is a part of another one, which must not be touched."""
TABLE = pa.table(
    {
        "patient": [PATIENT, OTHER, "last"],
        "cohort": ["training", "training", "validation"],
        "label": [1, 0, 1],
        "AP__mean": [0.5, None, float("nan")],
    }
)


def lived_in(store):
    """Give a store a study of three patients, with history, a shared image, a model, and texts that name one."""
    people, study = (PATIENT, OTHER, "last"), {"study": "er"}
    with record_run(store, "ingest", "er", {"file": f"/data/{PATIENT}/er.toml"}) as run:
        with commit_to(store, f"ingest er, without {PATIENT}.") as c:
            c.put("studies", [study | {"title": "ER", "definition": "{}", "file": "er.toml"}])
            c.put("patients", [{"patient": each} for each in people])
            c.put("study_patients", [study | {"patient": each} for each in people])
            c.put("clinical", [{"patient": PATIENT, "variable": "afp", "observed_at": "", "value": 1.0}])
            c.put("study_masks", [study | key_of(each)._asdict() | {"is_primary": 1} for each in people])
            c.put("splits", [study | {"split": "main", "kind": "column", "sha256": "5" * 64, "patients": 3}])
            cohorts = zip(people, ("training", "training", "validation"), strict=True)
            c.put("split_members", [study | {"split": "main", "patient": p, "cohort": cohort} for p, cohort in cohorts])
            failed = study | key_of(OTHER)._asdict() | {"stage": "ingest", "feature_set": "", "feature": ""}
            c.put("failures", [failed | {"reason": f"as that of '{PATIENT}'"}])
        run.summary["error"] = f"patient {PATIENT} has two rows"
    records = [record_of(key_of(each), mean=float(n)) for n, each in enumerate(people)]
    with commit_to(store, "refresh") as c:
        put_features(c)
        put_segment(store, c, records[:2])
        put_segment(store, c, records[2:])
    with commit_to(store, "correction") as c:
        c.put("clinical", [{"patient": PATIENT, "variable": "afp", "observed_at": "", "value": 2.0}])
        # The same image and mask under a second pseudonym.
        twin = {"image_sha256": records[0].image_sha256, "mask_sha256": records[0].mask_sha256}
        c.put("masks", [twin | key_of("twin")._asdict() | {"mask_label": 1, "source": "twin.nii"}])
        alone = record_of(key_of(PATIENT, "PVP"))
        put_segment(store, c, [alone])
        ids = [each.extraction_id for each in (*records, alone)]
        c.put("study_extractions", [study | {"feature_set": FEATURE_SET, "extraction_id": each} for each in ids])
    pinned = pin_dataset(store, TABLE, study="er", split="main", inputs={}, commit_id=3)
    with commit_to(store, "train") as c:
        c.put("datasets", [vars(pinned)])
        summary = json.dumps({"removed": [], "excluded": {PATIENT: "no image", OTHER: "no label"}})
        row = study | {"version": 1, "threshold": 0.5, "trained_at": "t", "summary": summary}
        c.put("models", [row | {"model": "cr", "dataset_id": pinned.dataset_id}, row | {"model": "of-others"}])
        judged = study | {"suite": "holdout", "model": "cr", "cohort": "training", "fold": 0, "version": 1}
        c.put("predictions", [judged | {"patient": each, "probability": 0.5, "label": 1} for each in people])
    stage(store.staging / "abc", records[0])
    stage(store.staging / "abc", records[1])
    stage_unit(store.staging / "bench-er", "unit", {"cr": {"probabilities": {PATIENT: 0.5}}})
    (store.root / "report").mkdir()
    (store.root / "report" / "er.html").write_text(f"<td>{PATIENT}</td>")
    orphan = store.segments.local_root / "two_features_v1" / "orphan.parquet"
    pq.write_table(TABLE, orphan)
    publish_snapshot(Snapshot(store))
    return records


def bytes_that_name(store):
    """Return the files below the store, and the remote ones, in which the pseudonym is found, compressed or not."""
    token = PATIENT.encode()
    found = []
    for file in store.root.rglob("*"):
        if not file.is_file():
            continue
        content = file.read_bytes().replace(OTHER.encode(), b"")
        if file.suffix == ".parquet":
            table = pq.read_table(file)
            content += repr(table.to_pydict()).replace(OTHER, "").encode()
        if token in content:
            found.append(file.relative_to(store.root).as_posix())
    for folder in (store.segments, store.datasets):
        for path in folder.paths():
            names = pq.read_table(folder.local(path)).to_pydict()["patient"]
            found += [path] if PATIENT in names else []
    return found


SEEN = {}


def looked_at(store):
    """Return the views and commits whose answer has the pseudonym, and each snapshot's features of all but two.

    Those left out of the features are the patient and the patient's twin. Where a store has the very rows, sums and
    segments of one that was looked at, its views have the same answers and are not asked again.
    """
    made_of = sources(store)
    if made_of not in SEEN:
        SEEN[made_of] = answered(store)
    return SEEN[made_of]


def sources(store):
    """Return all that views are made of: the rows of all commits with their sums, and the segments' content.

    Of receipts, which have times of their own, there is whom they name.
    """
    with read_transaction(store.engine) as connection:
        rows = {table.name: connection.execute(table.select()).all() for table in metadata.sorted_tables}
    rows["erasures"] = [PATIENT in repr(row) for row in rows["erasures"]]
    rows["row_sums"] = [row for row in rows["row_sums"] if row.table_name != "erasures"]
    files = {path: store.segments.sha256(path) for path in store.segments.paths()}
    return repr([sorted((name, sorted(map(repr, each))) for name, each in rows.items()), sorted(files.items())])


def answered(store):
    """Return what `looked_at` does, asked of the store itself."""
    found, others = [], []
    query = "select * exclude (reading) from two_features where patient not in ($own, 'twin') order by patient"
    for as_of in range(newest_commit(store) + 1):
        with snapshot_connection(Snapshot(store, as_of)) as connection:
            names = [*RESERVED_VIEWS, *(["two_features"] if as_of >= 2 else [])]
            for view in names:
                said = repr(connection.sql(f"from {view}").fetchall()).replace(OTHER, "")
                found += [(as_of, view)] if PATIENT in said else []
            if as_of >= 2:
                others.append(connection.sql(query, params={"own": PATIENT}).fetchall())
    return found, others


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Return a folder with the store of three patients, to be copied, its records and what is seen in it."""
    store = Store(tmp_path_factory.mktemp("lived") / "store", create=True)
    records = lived_in(store)
    seen = looked_at(store)
    store.engine.dispose()
    return store.root, records, seen


@pytest.fixture
def lived(template, tmp_path):
    """Return a store of its own with a study of three patients."""
    store = Store(shutil.copytree(template[0], tmp_path / "store"))
    publish_snapshot(Snapshot(store))
    return store


def test_nothing_of_the_patient_is_left(store_anywhere):
    """No byte and no answer has the pseudonym, wherever catalogue and files lie; the others' rows are as they were."""
    store = store_anywhere
    lived_in(store)
    (named, before), commits = looked_at(store), newest_commit(store)
    assert named
    assert bytes_that_name(store)
    receipt = erase_patient(store, PATIENT, author="keeper")
    assert looked_at(store) == ([], before)
    assert bytes_that_name(store) == []
    if is_postgresql(store.engine):
        with store.engine.connect() as connection:
            rows = connection.execute(text("select query_to_xml('select * from clinical', true, false, '')::text"))
            assert PATIENT not in rows.scalar()
    assert newest_commit(store) == commits
    (kept,) = Snapshot(store).arrow("erasures").to_pylist()
    assert json.loads(kept["receipt"]) == receipt
    assert (kept["author"], receipt["status"]) == ("keeper", "finished")
    assert receipt["patient_sha256"] == hashlib.sha256(PATIENT.encode()).hexdigest()
    again = erase_patient(store, PATIENT)
    counted = ("erasure_id", "rows_removed", "texts_changed", "files_rewritten", "models_marked", "staged_removed")
    assert {name: again[name] for name in counted} == {name: receipt[name] for name in counted}
    assert Snapshot(store).arrow("erasures").num_rows == 1


def test_the_receipt_counts_what_went(lived):
    """Rows of all commits by table, files by hash, datasets, and the one model that the patient had trained."""
    store = lived
    plan = planned_erasure(store, PATIENT)
    receipt = erase_patient(store, PATIENT)
    removed = {each["table"]: each["rows"] for each in receipt["rows_removed"]}
    # Two versions of one clinical value; one mask of each phase; the extraction that no twin has.
    assert removed == plan.rows | {"study_extractions": 2}
    assert (removed["clinical"], removed["masks"], removed["extractions"]) == (2, 2, 1)
    assert (receipt["extractions_removed"], receipt["extractions_kept_for_others"]) == (1, 1)
    assert {each["column"] for each in receipt["texts_changed"]} == {
        "commits.message",
        "failures.reason",
        "models.summary",
        "runs.parameters",
        "runs.summary",
    }
    assert receipt["models_marked"] == ["er/cr@1"]
    marks = {row["model"]: row["mark"] for row in Snapshot(store).rows("models")}
    assert marks == {"cr": f"trained on a patient erased on {receipt['erased_at'][:10]}", "of-others": None}
    (dataset,) = Snapshot(store).rows("datasets")
    (changed,) = receipt["datasets"]
    assert (dataset["dataset_id"], dataset["patients"]) == (changed["dataset_id"], 2)
    assert dataset["sha256"] == changed["sha256"] == store.files.sha256(dataset["path"])
    # As text: NaN equals nothing, itself neither.
    assert repr(pq.read_table(store.root / dataset["path"]).to_pydict()) == repr(TABLE.slice(1).to_pydict())
    assert len(receipt["files_rewritten"]) == 3
    assert receipt["files_removed"] == ["segments/two_features_v1/orphan.parquet"]
    assert receipt["splits"] == [{"study": "er", "split": "main", "sha256": "5" * 64}]
    assert Snapshot(store).row("splits", study="er")["sha256"] == "5" * 64
    assert (receipt["staged_removed"], receipt["pages_removed"]) == (2, 1)
    excluded = json.loads(Snapshot(store).rows("models")[0]["summary"])["excluded"]
    assert excluded == {OTHER: "no label"}


def test_a_twin_keeps_the_row(lived, template):
    """Where another patient has the same image and mask, the values stay, in the file too, under that patient."""
    store, (first, *_) = lived, template[1]
    erase_patient(store, PATIENT)
    snapshot = Snapshot(store)
    (extraction,) = snapshot.rows("extractions", extraction_id=first.extraction_id)
    segment = snapshot.row("segments", segment_id=extraction["segment_id"])
    rows = pq.read_table(store.segments.local(segment["path"])).to_pylist()
    assert {row["patient"]: row["original_firstorder_Mean"] for row in rows} == {"twin": 0.0, OTHER: 1.0}
    with snapshot_connection(snapshot) as connection:
        query = "select patient, original_firstorder_Mean from two_features order by 2"
        assert connection.sql(query).fetchall() == [("twin", 0.0), (OTHER, 1.0), ("last", 2.0)]
    # The study's link to it stood for the erased patient alone.
    assert snapshot.rows("study_extractions", extraction_id=first.extraction_id) == []


STEPS = ("without_rows", "replace_segments", "mark_models", "publish_snapshot", "_remove_pending", "remove_staged")


@pytest.mark.parametrize("step", [*STEPS, "clear_folders", "scrub_catalogue"])
def test_killed_at_any_step(lived, template, monkeypatch, step):
    """A kill leaves the store as it was or one that answers without the patient; the same command then finishes."""
    store, (_, _, (_, before)) = lived, template
    carry_out = getattr(erasure, step)

    def killed(*arguments):
        carry_out(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(erasure, step, killed)
        with pytest.raises(KeyboardInterrupt):
            erase_patient(store, PATIENT)
    named, others = looked_at(store)
    assert others == before
    is_out = step not in STEPS[:3]
    assert bool(named) is not is_out
    statuses = [json.loads(row["receipt"])["status"] for row in Snapshot(store).arrow("erasures").to_pylist()]
    assert statuses == ["unfinished"] * is_out
    receipt = erase_patient(store, PATIENT)
    assert bytes_that_name(store) == []
    assert looked_at(store) == ([], before)
    assert Snapshot(store).arrow("erasures").num_rows == 1
    assert receipt["status"] == "finished"
    assert receipt["models_marked"] == ["er/cr@1"]
    assert len(receipt["files_rewritten"]) == 3


def test_a_reader_who_keeps_old_pages(lived, monkeypatch):
    """While a reader holds the catalogue's old pages the erasure is unfinished and says so; later it goes on."""
    store = lived
    monkeypatch.setattr("store.erasure.files.BUSY_TIMEOUT_S", 0.1)
    reader = sqlite3.connect(store.catalogue_file, isolation_level=None)
    reader.execute("begin")
    assert reader.execute("select count(*) from patients").fetchone() == (3,)
    with pytest.raises(StoreBusyError, match="old pages"):
        erase_patient(store, PATIENT)
    assert looked_at(store)[0] == []
    assert planned_erasure(store, PATIENT).is_empty
    reader.execute("commit")
    reader.close()
    assert erase_patient(store, PATIENT)["status"] == "finished"
    assert bytes_that_name(store) == []


def test_an_unknown_patient_and_the_nearest(lived):
    """A slip of the pen is answered with the pseudonyms that are near, and nothing is written."""
    store = lived
    with pytest.raises(NotFoundError) as caught:
        erase_patient(store, "zqpatient")
    assert caught.value.hint == f"the nearest: {PATIENT}, {OTHER}"
    assert Snapshot(store).arrow("erasures").num_rows == 0


def test_a_lost_file_keeps_nobody_in_the_store(lived):
    """Where a segment or dataset is missing, the rest goes, the split tells who trained, and the receipt names it."""
    store = lived
    paths = [Snapshot(store).rows("datasets")[0]["path"].removeprefix("datasets/")]
    store.datasets.remove(paths[0])
    receipt = erase_patient(store, PATIENT)
    assert receipt["missing_files"] == [f"datasets/{paths[0]}"]
    assert receipt["models_marked"] == ["er/cr@1"]
    assert bytes_that_name(store) == []


@pytest.mark.parametrize(
    ("patient", "told", "left"),
    [
        ("P1", "P1, P10, P1.5 and P1.", f"{ERASED}, P10, P1.5 and {ERASED}."),
        ("P1", "/data/P1/er.toml: patient 'P1'", f"/data/{ERASED}/er.toml: patient '{ERASED}'"),
        (
            "12",
            "12 masks of patient '12', first 12/baseline",
            f"12 masks of patient '{ERASED}', first {ERASED}/baseline",
        ),
        ("P1", '{"a":["P1","P2"],"P1":1}', '{"a":["P2"]}'),
        ("12", '{"excluded":{"12":"no image"},"levels":["12"],"n":12}', '{"excluded":{},"levels":["12"],"n":12}'),
        ("P1", "nobody", "nobody"),
    ],
)
def test_a_text_without_the_patient(patient, told, left):
    """The pseudonym goes as a word of its own, never as a part of another; one of digits only where it is a patient."""
    assert without_patient(told, patient) == left


def test_a_lost_segment_does_not_keep_the_patient(lived):
    """Where the store cannot be published, all bytes of the patient go nevertheless; the fault is said at the end."""
    store = lived
    with commit_to(store, "more") as c:
        lost = put_segment(store, c, [record_of(key_of("last", "PVP"))])
    publish_snapshot(Snapshot(store))
    (store.segments.local_root / lost.path).unlink()
    for _ in range(2):
        with pytest.raises(ContractError, match=r"the patient is erased, .*analyst.duckdb is not published") as fault:
            erase_patient(store, PATIENT)
        assert lost.path in (fault.value.where or "")
    assert not store.analyst_file.exists()
    assert bytes_that_name(store) == []
    (row,) = Snapshot(store).arrow("erasures").to_pylist()
    assert json.loads(row["receipt"])["status"] == "finished"
