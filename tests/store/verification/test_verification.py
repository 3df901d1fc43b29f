"""``store_verification`` on whole stores, wherever they lie, and on stores of which one thing was damaged."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives.unpacking import ARCHIVES, unpack
from builders.store import MASK_KEYS, fill, key_of, put_segment, record_of
from sqlalchemy import delete, insert, update

from schemas.errors import ContractError
from store.catalogue.connection import write_transaction
from store.catalogue.tables import VERSIONED, commits, store_format
from store.commits.commit import commit_to
from store.files import file_sha256
from store.history.runs import record_run
from store.home import Store
from store.rows.datasets import pin_dataset
from store.rows.staging import stage
from store.verification.verify import store_verification

FEATURE_SET = "two-features@1"


def folder_hash(contents):
    """Return a hash over the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(name.encode() + b"\0" + contents[name] + b"\0")
    return digest.hexdigest()


def complete(store):
    """Fill a store with the small study, a dataset and a model that lie where the catalogue says."""
    fill(store)
    table = pa.table({"patient": ["p1", "p2"], "label": [1, 0]})
    dataset = pin_dataset(store, table, study="er", split="main", inputs={"of": "a test"}, commit_id=2)
    local = store.models.scratch()
    local.mkdir()
    (local / "model.json").write_text('{"fitted": true}')
    (local / "card.md").write_text("# A model\n")
    sha256 = folder_hash({file.name: file.read_bytes() for file in local.iterdir()})
    store.files.adopt(local, f"models/er/cr/v2-{sha256[:12]}")
    with commit_to(store, "train er") as commit:
        commit.put("datasets", [vars(dataset)])
        commit.put(
            "models",
            [
                {"study": "er", "model": "cr", "version": 2, "dataset_id": dataset.dataset_id}
                | {"path": f"models/er/cr/v2-{sha256[:12]}", "sha256": sha256}
            ],
        )
    return store


def broken(store, **options):
    """Return the names of the checks that found something."""
    checks = store_verification(store, folder_hash=folder_hash, **options).checks
    return [check.name for check in checks if check.findings]


def said(store, name):
    """Return the findings of one check."""
    (check,) = [check for check in store_verification(store, folder_hash=folder_hash).checks if check.name == name]
    return check.findings


def changed(store, statement):
    """Carry out a statement behind the back of the store's own writer."""
    with write_transaction(store.engine) as connection:
        assert connection.execute(statement).rowcount > 0


@pytest.fixture(scope="module")
def complete_folder(tmp_path_factory):
    """Return the folder of a store in which nothing is broken, to be copied."""
    store = complete(Store(tmp_path_factory.mktemp("complete") / "store", create=True))
    store.engine.dispose()
    return store.root


@pytest.fixture
def whole(complete_folder, tmp_path):
    """Return a store of its own in which nothing is broken."""
    return Store(shutil.copytree(complete_folder, tmp_path / "store"))


@pytest.fixture
def segment(whole):
    """Return the path of the only segment."""
    (file,) = whole.segments.local_root.rglob("*.parquet")
    return file


def test_a_whole_store_is_clean_wherever_it_lies(store_anywhere):
    """Every promise holds, and each check says how much it looked at."""
    found = store_verification(complete(store_anywhere), folder_hash=folder_hash)
    assert [(check.name, check.findings) for check in found.checks if check.findings] == []
    assert found.is_clean
    assert found.notes == []
    assert found.commit_id == 4
    counted = {check.name: check.counted for check in found.checks}
    assert {"segments": 1, "extractions": 6, "extraction ids": 6, "commits": 4, "datasets": 1, "models": 1}.items() <= (
        counted.items()
    )
    assert counted["masks -> scans"] == 6
    assert counted["predictions -> models"] == 1


def test_an_empty_store_is_clean(store):
    """A store with no commit breaks no promise."""
    assert store_verification(store).is_clean


def test_a_store_of_an_old_format_is_clean(tmp_path):
    """A store that format 1 wrote keeps all promises once it is brought up to date."""
    unpack(ARCHIVES["format_1"], tmp_path)
    found = store_verification(Store(tmp_path / "store"))
    assert [(check.name, check.findings) for check in found.checks if check.findings] == []
    assert next(check.counted for check in found.checks if check.name == "segments") > 0


def test_a_truncated_segment_is_found_without_hashing(whole, segment):
    """A file that lost its end has another size, which --quick sees too."""
    segment.write_bytes(segment.read_bytes()[:-100])
    assert broken(whole, quick=True) == ["segments"]
    size, unreadable = said(whole, "segments")
    assert f"has {segment.stat().st_size} bytes" in size.what
    assert "cannot be read as Parquet" in unreadable.what
    assert size.where == str(segment)


def test_a_flipped_byte_is_found_by_its_hash(whole, segment):
    """One changed byte leaves size and rows as they were; only the hash tells."""
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    assert "segments" in broken(whole)
    assert "bytes changed" in said(whole, "segments")[0].what


def test_a_flipped_byte_of_a_remote_file_is_found_where_it_lies(store_of_any_data):
    """The file itself is looked at, not this machine's copy of it."""
    store = complete(store_of_any_data)
    (path,) = store.segments.paths()
    with store.segments.opened(path) as stream:
        content = bytearray(stream.read())
    content[len(content) // 2] ^= 1
    other = Store(store.root)
    damaged = other.segments.scratch()
    damaged.write_bytes(content)
    other.segments.adopt(damaged, path)
    assert "segments" in broken(other)
    # Written through the store, the damage reached this machine's copy too.
    assert ("copies" in broken(other)) == other.files.is_remote
    other.engine.dispose()


def test_a_deleted_segment_is_found(whole, segment):
    """A file that the catalogue names and that is not there is missing, and the next command is said."""
    segment.unlink()
    assert broken(whole, quick=True) == ["segments"]
    (finding,) = said(whole, "segments")
    assert finding.what == "the file is missing"
    assert "docs/store.md" in finding.hint


def rewritten(store, segment, rows):
    """Put other rows into a segment and the new size, hash and number of rows into the catalogue."""
    pq.write_table(rows, segment)
    table = VERSIONED["segments"]
    values = {"sha256": file_sha256(segment), "bytes": segment.stat().st_size, "rows": rows.num_rows}
    changed(store, update(table).values(**values))


def test_a_deleted_row_is_found(whole, segment):
    """An extraction whose row is gone is found even where file and catalogue agree."""
    rows = pq.read_table(segment)
    rewritten(whole, segment, rows.slice(1))
    assert broken(whole) == ["extractions"]
    (finding,) = said(whole, "extractions")
    assert finding.rows == (f"{rows['extraction_id'][0]}: 0 rows",)


def test_a_row_that_stands_twice_is_found(whole, segment):
    """One id, one row: a second one would count twice in every answer."""
    rows = pq.read_table(segment)
    rewritten(whole, segment, pa.concat_tables([rows, rows.slice(2, 1)]))
    (finding,) = said(whole, "extractions")
    assert finding.rows == (f"{rows['extraction_id'][2]}: 2 rows",)


def test_a_column_that_is_gone_is_found(whole, segment):
    """A segment holds every column of its feature set."""
    rows = pq.read_table(segment)
    rewritten(whole, segment, rows.drop_columns(["wavelet-LLH_glcm_Idm"]))
    (finding,) = said(whole, "segments")
    assert "1 columns are missing, the first: wavelet-LLH_glcm_Idm" in finding.what


def test_a_wrong_number_of_rows_is_found(whole):
    """The catalogue's count and the file's must agree."""
    changed(whole, update(VERSIONED["segments"]).values(rows=7))
    assert broken(whole, quick=True) == ["segments"]


def test_an_extraction_of_an_unknown_segment_is_found_when_it_has_ended_too(whole):
    """Old snapshots read ended rows: they must lead to a file like the live ones."""
    table = VERSIONED["extractions"]
    changed(whole, update(table).where(table.c.row_id == 1).values(segment_id="gone", removed_commit=3))
    assert broken(whole) == ["study_extractions -> extractions", "extractions"]
    assert said(whole, "extractions")[0].where == "extractions: segment_id gone"


def test_a_wrong_extraction_id_is_found(whole):
    """The id is computed again from image, mask and definition."""
    table = VERSIONED["extractions"]
    changed(whole, update(table).where(table.c.row_id == 2).values(image_sha256="e" * 64))
    assert broken(whole) == ["extraction ids"]
    (finding,) = said(whole, "extraction ids")
    assert len(finding.rows) == 1


def test_a_changed_definition_is_found(whole):
    """The definition's text must hash to what the ids were made of."""
    changed(whole, update(VERSIONED["feature_sets"]).values(definition='{"about":"three-features"}'))
    assert broken(whole) == ["definitions"]


def test_two_live_rows_of_one_key_are_found(whole):
    """A key has one row at every commit, also at those before the newest."""
    table = VERSIONED["patients"]
    changed(whole, insert(table).values(patient="p1", added_commit=2, removed_commit=3))
    assert broken(whole) == ["keys"]
    assert said(whole, "keys")[0].rows == ("patient p1",)


def test_a_gap_in_the_commits_is_found(whole):
    """Commits count up from 1; rows that name the missing one are found too."""
    changed(whole, delete(commits).where(commits.c.commit_id == 2))
    assert broken(whole) == ["commits", "row versions", "tags -> commits"]
    assert said(whole, "commits")[0].rows == ("2",)


@pytest.mark.parametrize(
    ("added", "removed"), [(3, 3), (3, 2), (1, 99), (99, None)], ids=["empty", "backwards", "future end", "future"]
)
def test_impossible_lives_are_found(whole, added, removed):
    """A row is added before it is removed, both by commits that are there."""
    table = VERSIONED["variables"]
    changed(whole, update(table).values(added_commit=added, removed_commit=removed))
    assert broken(whole) == ["row versions"]


@pytest.mark.parametrize(
    ("table", "check"),
    [
        ("scans", "masks -> scans"),
        ("masks", "study_masks -> masks"),
        ("study_patients", "labels -> study_patients"),
        ("study_patients", "split_members -> study_patients"),
        ("datasets", "models -> datasets"),
        ("models", "predictions -> models"),
        ("splits", "split_members -> splits"),
    ],
)
def test_a_reference_to_nothing_is_found(whole, table, check):
    """Rows whose target is gone are found and named, all of them."""
    rows = VERSIONED[table]
    with write_transaction(whole.engine) as connection:
        gone = connection.execute(delete(rows)).rowcount
    assert check in broken(whole)
    (finding,) = said(whole, check)
    assert len(finding.rows) >= 1
    assert gone


def test_a_changed_dataset_is_found(whole):
    """A pinned table whose bytes changed is not the one that a model trained on."""
    (file,) = whole.datasets.local_root.glob("*.parquet")
    file.write_bytes(file.read_bytes() + b" ")
    assert broken(whole) == ["datasets"]
    file.unlink()
    assert broken(whole, quick=True) == ["datasets"]


def test_a_changed_model_is_found(whole):
    """A model's folder has the hash that was written down, or is missing."""
    (card,) = whole.models.local_root.rglob("card.md")
    card.write_text("# A better model\n")
    assert broken(whole) == ["models"]
    assert broken(whole, quick=True) == []
    for file in list(card.parent.iterdir()):
        file.unlink()
    assert broken(whole, quick=True) == ["models"]


def test_a_lost_column_and_a_lost_step_of_the_format_are_found(whole):
    """The catalogue has the tables and columns of its format, reached by every step."""
    with closing(sqlite3.connect(whole.catalogue_file)) as connection:
        connection.execute("alter table subgroups drop column auc")
        connection.commit()
    changed(whole, delete(store_format).where(store_format.c.version == 1))
    steps, columns = said(whole, "format")
    assert "not 1 to" in steps.what
    assert (columns.where, columns.what) == ("subgroups", "columns are missing: auc")


def test_a_damaged_catalogue_is_an_error_that_says_so(whole):
    """A page of zeros in the middle of the file is found by SQLite itself, or nothing can be asked any more."""
    whole.engine.dispose()
    with closing(sqlite3.connect(whole.catalogue_file)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        (root,) = connection.execute("select rootpage from sqlite_master where name = 'features'").fetchone()
        (size,) = connection.execute("pragma page_size").fetchone()
    with whole.catalogue_file.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(bytes(size))
    with pytest.raises(ContractError, match="catalogue cannot be read"):
        store_verification(whole)


def test_damaged_staged_records_are_found_and_whole_ones_are_told(whole):
    """A record that is no JSON or holds another extraction is a finding; one that waits is not."""
    folder = whole.staging / "0123456789"
    record = record_of(key_of("p9"))
    file = stage(folder, record)
    found = store_verification(whole)
    assert found.is_clean
    assert [note.what for note in found.notes] == ["1 staged results wait for a commit"]
    file.with_stem("0" * 64).write_text(file.read_text())
    file.write_text(file.read_text()[:-20])
    found = {Path(finding.where).stem: finding.what for finding in said(whole, "staging")}
    assert "not JSON" in found[record.extraction_id]
    assert found["0" * 64] == f"holds the extraction {record.extraction_id}"


def test_files_that_nobody_names_and_runs_that_do_not_end_are_told(whole, segment):
    """What a killed writer left is told, with what to do about it, and breaks no promise."""
    (segment.parent / "left.parquet").write_bytes(b"left")
    (whole.datasets.local_root / "writing-1-2.partial").write_bytes(b"half")
    lost = whole.models.local_root / "er" / "cr" / "v3-lost"
    lost.mkdir()
    (lost / "model.json").write_text("{}")
    with record_run(whole, "refresh", "er", {}):
        found = store_verification(whole, folder_hash=folder_hash)
    assert found.is_clean
    running, segments, datasets, models = found.notes
    assert "refresh of er has not ended" in running.what
    assert segments.rows == ("segments/two_features_v1/left.parquet",)
    assert datasets.rows == ("datasets/writing-1-2.partial",)
    assert models.rows == ("models/er/cr/v3-lost/model.json",)
    assert segments.hint == "radzoo store compact removes them after its time of grace"


def copied_files(store, folder):
    """Copy a store's immutable files as any tool would, without asking the catalogue."""
    for part in ("segments", "datasets", "models"):
        shutil.copytree(store.root / part, folder / part, dirs_exist_ok=True)


def copied_catalogue(store, folder):
    """Copy a catalogue as docs/store.md says, while it is in use."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(store.catalogue_file)) as connection:
        connection.execute("vacuum into ?", [str(folder / "catalogue.sqlite")])


def another_segment(store):
    """Commit one more extraction, as a writer does while a copy is made."""
    with commit_to(store, "another mask") as commit:
        put_segment(store, commit, [record_of(MASK_KEYS[0]._replace(lesion="2"))])


def test_a_copy_taken_catalogue_first_is_whole_while_others_write(whole, tmp_path):
    """A catalogue names files that were there before it: copied first, all it names is copied after it."""
    copy = tmp_path / "copy"
    copied_catalogue(whole, copy)
    another_segment(whole)
    copied_files(whole, copy)
    found = store_verification(Store(copy), folder_hash=folder_hash)
    assert found.is_clean
    assert found.commit_id == 4
    (left,) = found.notes
    assert len(left.rows) == 1


def test_a_copy_taken_catalogue_last_may_lack_a_file(whole, tmp_path):
    """The other order is wrong: the catalogue can name a file that was written after the files were copied."""
    copy = tmp_path / "copy"
    copied_files(whole, copy)
    another_segment(whole)
    copied_catalogue(whole, copy)
    assert broken(Store(copy)) == ["segments"]
