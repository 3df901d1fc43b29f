"""The verbs of pinned datasets: list, show, rebuild."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.home import Store

LR = "radiomics_lr@1"


@pytest.fixture
def listed(ask):
    """Return the datasets of the store, by the first model that was trained on each."""
    code, out, _ = ask("--json", "datasets", "list")
    assert code == 0
    return {row["models"][0]: row for row in json.loads(out)}


def test_list_says_what_each_holds_and_who_trained_on_it(ask, listed):
    """A dataset that two models share is one line that names both."""
    assert len(listed) == 2
    shared = next(row for name, row in listed.items() if name != "cr@1")
    assert sorted(shared["models"]) == ["radiomics_knn@1", LR]
    assert (listed["cr@1"]["holds"], shared["holds"]) == ("2 factors", "quick@1 in AP")
    assert (listed["cr@1"]["feature_set"], shared["feature_set"]) == (None, "quick@1")
    code, out, _ = ask("datasets", "list", "--study", "tried")
    assert code == 0
    assert "2 factors" in out
    assert ask("datasets", "list", "--study", "none")[0] == 3


def test_the_sql_that_is_shown_gives_the_file(ask, listed, trained_study, tmp_path):
    """What show prints, asked with the commit it names, is the Parquet file's table."""
    for row in listed.values():
        code, text, _ = ask("datasets", "show", row["dataset_id"][:8])
        assert code == 0
        assert f"--as-of {row['commit_id']}: gives the same rows" in text
        _, query, _ = ask("datasets", "show", row["dataset_id"], "--sql")
        assert query.strip() in text
        out = tmp_path / "answer.parquet"
        asked = ("sql", query, "--as-of", row["commit_id"], "--format", "parquet", "--out", out, "--force")
        assert ask(*asked)[0] == 0
        data = json.loads(ask("--json", "datasets", "show", row["dataset_id"])[1])
        pinned = pq.read_table(trained_study.store.files.local(data["path"]))
        given = pq.read_table(out)
        assert given.cast(pinned.schema).equals(pinned)
        assert answer(Snapshot(trained_study.store), f"select sql from datasets where sha256 = '{data['sha256']}'")[
            "sql"
        ].to_pylist() == [data["sql"]]


def test_rebuild_finds_the_same_bytes_or_says_what_differs(ask, listed, trained_study, tmp_path):
    """All datasets of a sound store are the same bytes; a changed file is exit code 4, and the cell is named."""
    code, out, _ = ask("datasets", "rebuild", "--all")
    assert (code, out.count("the same bytes")) == (0, len(listed))
    store = tmp_path / "store"
    shutil.copytree(trained_study.store_root, store)
    row = json.loads(ask("--json", "datasets", "show", listed["cr@1"]["dataset_id"])[1])
    file = Store(store).files.local(row["path"])
    whole = file.read_bytes()
    table = pq.read_table(file)
    values = [1.0 - table["afp>400"][0].as_py(), *table["afp>400"].to_pylist()[1:]]
    at = table.column_names.index("afp>400")
    pq.write_table(table.set_column(at, "afp>400", pa.array(values, pa.float64())), file)
    # Whoever changes the file changes its hash: the table made again has the pinned bytes and takes its place.
    code, out, _ = ask("datasets", "rebuild", row["dataset_id"], store=store)
    assert code == 0
    assert "is put back" in out
    assert file.read_bytes() == whole
    with_other_hash(Store(store), row["dataset_id"], table.set_column(at, "afp>400", pa.array(values, pa.float64())))
    code, out, _ = ask("datasets", "rebuild", row["dataset_id"], store=store)
    assert code == 4
    assert "1 cell differs" in out
    assert f"{table['patient'][0].as_py()} afp>400: pinned {values[0]!r}, now {1.0 - values[0]!r}" in out
    code, out, _ = ask("--json", "datasets", "rebuild", "--all", store=store)
    assert (code, sorted(each["verdict"] for each in json.loads(out))) == (4, ["different", "identical"])


@pytest.fixture
def own_study(trained_study, tmp_path):
    """Return a copy of the trained study, its files and its store, to be changed."""
    shutil.copytree(trained_study.folder, tmp_path / "study")
    shutil.copytree(trained_study.store_root, tmp_path / "store")
    return replace(trained_study, folder=tmp_path / "study", store_root=tmp_path / "store")


def test_rebuild_after_a_correction_a_new_feature_version_and_a_compaction(ask, listed, own_study):
    """A laboratory value is corrected, a mask redrawn, features get a version, files are merged: the same bytes."""
    store = own_study.store_root
    pinned = {
        row["dataset_id"]: json.loads(ask("--json", "datasets", "show", row["dataset_id"])[1])
        for row in listed.values()
    }
    files = {dataset: own_study.store.files.local(row["path"]).read_bytes() for dataset, row in pinned.items()}
    answers = {d: answer(Snapshot(own_study.store, row["commit_id"]), row["sql"]) for d, row in pinned.items()}

    def refreshed():
        assert ask("ingest", own_study.file, store=store)[0] == 0
        own_study.stage()
        assert ask("refresh", store=store)[0] == 0

    lines = (own_study.folder / "patients.csv").read_text().splitlines()
    name, label, cohort, afp, sex = lines[1].split(",")
    corrected = "20" if afp == "900" else "900"
    own_study.edit(lines[1], ",".join((name, label, cohort, corrected, sex)), file="patients.csv")
    refreshed()
    own_study.write_mask("T01", mask=own_study.mask("T01", grow=2))
    refreshed()
    own_study.edit("bin_width = 25", "bin_width = 20")
    refreshed()
    versions = own_study.sql("select feature_set, count(*) as n from catalogue.segments group by all order by all")
    assert versions == [{"feature_set": "quick@1", "n": 2}, {"feature_set": "quick@2", "n": 1}]
    old = {row["path"] for row in own_study.sql("from catalogue.segments where feature_set = 'quick@1'")}
    code, out, _ = ask("store", "compact", "--grace-hours", "0", store=store)
    assert code == 0, out
    assert not old & set(own_study.store.segments.paths())

    for dataset, row in pinned.items():
        own_study.store.files.local(row["path"]).unlink()
        code, out, _ = ask("datasets", "rebuild", dataset, store=store)
        assert code == 0, out
        assert own_study.store.files.local(row["path"]).read_bytes() == files[dataset]
        assert answer(Snapshot(own_study.store, row["commit_id"]), row["sql"]).equals(answers[dataset])
    code, out, _ = ask("datasets", "rebuild", "--all", store=store)
    assert (code, out.count("the same bytes")) == (0, len(pinned))
    assert ask("store", "verify", store=store)[0] == 0
    now = own_study.sql("select value from clinical where patient = 'T00' and variable = 'afp'")
    assert now == [{"value": float(corrected)}]


def with_other_hash(store, dataset_id, table):
    """Put another table on record as the dataset's."""
    from store.commits.commit import commit_to
    from store.rows.datasets import pin_dataset

    row = Snapshot(store).row("datasets", dataset_id=dataset_id)
    other = pin_dataset(store, table, study=row["study"], split=row["split"], inputs={}, commit_id=row["commit_id"])
    kept = {name: value for name, value in row.items() if name != "added_commit"}
    with commit_to(store, "another file") as commit:
        commit.put("datasets", [kept | {"path": other.path, "sha256": other.sha256}])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("rebuild",), 2), (("rebuild", "x", "--all"), 2), (("rebuild", "nothing"), 3), (("show", "nothing"), 3)],
)
def test_what_is_not_there_or_not_said_is_refused(ask, arguments, code):
    """Without a dataset, or with one that does not exist, the exit code tells which."""
    assert ask("datasets", *arguments)[0] == code
