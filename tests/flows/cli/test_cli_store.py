"""The verbs that make, check and copy out a store, as they are called."""

import json
import re

import pyarrow.parquet as pq
from builders.command_line import printed, radzoo_run

from store.history.snapshot import Snapshot
from store.home import Store


def test_a_real_study_with_models_breaks_no_promise(trained_study, capsys):
    """After ingest, refresh, train and bench every check is ok, and the models' folders have their hash."""
    code, out, _ = trained_study.ask(capsys, "store", "verify")
    assert code == 0, out
    assert "BROKEN" not in out
    assert re.search(r"^ok +models +3  every folder is there, with its hash$", out, re.M)
    assert out.rstrip().endswith(f"no promise is broken, as of commit {trained_study.snapshot.commit_id}")
    _, text, _ = trained_study.ask(capsys, "--json", "store", "verify", "--quick")
    answer = json.loads(text)
    assert answer["is_clean"] is True
    assert {check["name"]: check["counted"] for check in answer["checks"]}["extractions"] == 60


def test_all_that_is_broken_is_listed_with_what_to_do(small_study, capsys):
    """Two faults in two places are both told, with exit code 4."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    (segment,) = small_study.store.segments.local_root.rglob("*.parquet")
    segment.write_bytes(segment.read_bytes()[:-1])
    staged = small_study.store.staging / "0123" / "torn.json"
    staged.parent.mkdir(parents=True)
    staged.write_text('{"extraction_id": ')
    (segment.parent / "left.parquet").write_bytes(b"left")
    code, out, _ = small_study.ask(capsys, "store", "verify", "--quick")
    assert code == 4
    assert f"broken: {segment}" in out
    assert f"broken: {staged}" in out
    named = f"next: radzoo --store {small_study.store_root}"
    assert f"{named} store verify --repair" in out
    assert "to know: " in out
    assert f"left.parquet\n  {named} store compact" in out
    code, out, _ = small_study.ask(capsys, "--json", "store", "verify", "--quick")
    assert code == 4
    answer = json.loads(out)
    assert [check["name"] for check in answer["checks"] if check["findings"]] == ["segments", "staging"]


def test_a_study_with_imported_tables_breaks_no_promise(capsys, tmp_path, monkeypatch):
    """Rows that were computed elsewhere are named by their content, and checked by it."""
    monkeypatch.chdir(tmp_path)
    table, store = tmp_path / "measured.csv", tmp_path / "store"
    rows = [f"p{number},{number % 2},{number * 0.5},{number * number}" for number in range(12)]
    table.write_text("\n".join(["id,outcome,mean,energy", *rows]) + "\n")
    ingest = ("ingest", "--features", table, "--patient", "id", "--outcome", "outcome")
    assert printed(capsys, "--store", store, *ingest)[0] == 0
    # A corrected value supersedes a row: the ended one must be in its segment too.
    table.write_text(table.read_text().replace("p3,1,1.5,9", "p3,1,1.25,9"))
    assert printed(capsys, "--store", store, "ingest", "measured/study.toml")[0] == 0
    assert Snapshot(Store(store)).commit_id == 2
    code, out, _ = printed(capsys, "--store", store, "store", "verify")
    assert code == 0, out
    (study,) = Snapshot(Store(store)).rows("studies")
    code, out, _ = printed(capsys, "--store", store, "store", "export", tmp_path / "out", "--study", study["study"])
    assert code == 0, out
    (wide,) = (tmp_path / "out").glob("*_v1.parquet")
    assert pq.read_table(wide).num_rows == 12


def test_an_export_is_a_folder_that_says_what_it_is(ready_study, capsys, tmp_path):
    """The verb names what it wrote; a second time the folder is in the way."""
    code, out, _ = ready_study.ask(capsys, "store", "export", tmp_path / "out", "--study", "small", "--format", "csv")
    assert code == 0
    assert f"in {tmp_path / 'out'}" in out
    assert "# Study small" in (tmp_path / "out" / "README.md").read_text()
    code, _, err = ready_study.ask(capsys, "store", "export", tmp_path / "out")
    assert code == 2
    assert "name a new or empty folder" in err
    code, _, err = ready_study.ask(capsys, "store", "export", tmp_path / "no", "--study", "nobody")
    assert code == 3


def test_init_makes_a_store_that_other_verbs_find(capsys, tmp_path):
    """A store is made where --store says, once; a wrong URL makes none."""
    store = tmp_path / "store"
    code, out, _ = printed(capsys, "--store", store, "store", "init")
    assert code == 0
    assert out.splitlines() == [
        "made a store",
        f"store      {store}",
        f"catalogue  {store / 'catalogue.sqlite'}",
        f"data       {store}",
    ]
    assert printed(capsys, "--store", store, "store", "log")[1] == "the store has no commit yet\n"
    code, _, err = printed(capsys, "--store", tmp_path / "other", "store", "init", "--data", "ftp://somewhere")
    assert code == 2
    assert "s3://bucket/prefix" in err
    assert not (tmp_path / "other").exists()
    code, out, _ = printed(capsys, "--json", "--store", store, "store", "init")
    assert (code, json.loads(out)["commits"]) == (0, 0)


def test_a_backup_of_a_real_study_opens_and_is_checked(trained_study, capsys, tmp_path):
    """Models, datasets and features are in the backup; a second run copies nothing, and each breaks no promise."""
    place = tmp_path / "backup"
    code, out, _ = trained_study.ask(capsys, "store", "backup", place)
    assert code == 0, out
    assert out.splitlines()[0] == f"backed up commit {trained_study.snapshot.commit_id} in {place}"
    code, out, _ = trained_study.ask(capsys, "--json", "store", "backup", place, "--quick")
    made = json.loads(out)
    assert (code, made["files"]["copied"], made["is_clean"], made["removed"]) == (0, 0, True, [])
    code, out, _ = printed(capsys, "--store", place, "store", "verify")
    assert code == 0, out
    shown = [printed(capsys, "--store", root, "models", "show", "cr") for root in (place, trained_study.store_root)]
    assert shown[0][:2] == shown[1][:2]
    code, _, err = trained_study.ask(capsys, "store", "backup", tmp_path)
    assert (code, "not empty" in err or "cannot lie" in err) == (2, True)


def test_a_place_where_no_store_can_be_is_one_line(capsys, tmp_path):
    """A file and a loop of links are said as such by every verb of the store, and no store is made there."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("file", "loop", "file/below"):
        for verb in (("store", "log"), ("store", "init"), ("store", "publish"), ("sql", "select 1")):
            code, out, err = printed(capsys, "--store", tmp_path / name, *verb)
            assert code in (3, 4)
            assert out == ""
            assert err.startswith(f"error: {tmp_path / name}: ")
            assert "next: " in err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "loop"]


def test_a_moved_store_is_published_again_by_the_next_verb(capsys, tmp_path):
    """After a move any verb writes the published file again and says so once on stderr."""
    assert printed(capsys, "--store", tmp_path / "store", "store", "init")[0] == 0
    assert printed(capsys, "--store", tmp_path / "store", "store", "publish")[0] == 0
    (tmp_path / "store").rename(tmp_path / "moved")
    # A plan writes nothing, this file neither.
    printed(capsys, "--store", tmp_path / "moved", "refresh", "--dry-run")
    _, _, err = printed(capsys, "--store", tmp_path / "moved", "store", "log")
    assert err == f"published analyst.duckdb again: it was published in {tmp_path / 'store'}\n"
    assert printed(capsys, "--store", tmp_path / "moved", "store", "log")[2] == ""


def test_a_question_to_a_moved_store_says_one_line_more(tmp_path):
    """The process that publishes and then answers ends without a word of the libraries that it loaded."""
    assert radzoo_run("--store", str(tmp_path / "store"), "store", "init").returncode == 0
    assert radzoo_run("--store", str(tmp_path / "store"), "store", "publish").returncode == 0
    (tmp_path / "store").rename(tmp_path / "moved")
    done = radzoo_run("--store", str(tmp_path / "moved"), "sql", "select 1 as one")
    assert done.returncode == 0
    assert done.stderr == f"published analyst.duckdb again: it was published in {tmp_path / 'store'}\n"
