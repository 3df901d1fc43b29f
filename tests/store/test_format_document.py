"""store/FORMAT.md says what the code does: its tables, its numbers, and a reader written from the page alone."""

import hashlib
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
from builders.store import MASK_KEYS, put_segment, record_of

from schemas.keys import canonical_json
from store.analyst.query import answer
from store.catalogue import connection
from store.catalogue.format_1 import format_1
from store.catalogue.migrations import FORMAT_VERSION
from store.catalogue.tables import KEYS, VERSIONED, metadata
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.rows.segments import KEY_COLUMNS
from store.rows.staging import stage
from store.verification import catalogue as verified_catalogue

PAGE = (Path(__file__).parents[2] / "store" / "FORMAT.md").read_text(encoding="utf-8")
VERSION_COLUMNS = ("row_id", "added_commit", "removed_commit")


def section(title):
    """Return the text below a heading, up to the next one of its level or above."""
    level = re.search(rf"^(#+) .*{re.escape(title)}", PAGE, re.M)
    rest = PAGE[level.end() :]
    end = re.search(rf"^#{{1,{len(level[1])}}} ", rest, re.M)
    return " ".join(rest[: end.start() if end else None].split())


def test_the_page_names_every_table_key_and_column():
    """The page's table is the catalogue: every table, its key, its other columns, in their order, and no more."""
    lines = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]+) \|$", PAGE, re.M)
    told = {name: (re.findall(r"`(\w+)`", key), re.findall(r"`(\w+)`", rest)) for name, key, rest, _ in lines}
    assert list(told) == ["store_format", "commits", "runs", "erasures", "row_sums", *VERSIONED]
    assert set(told) == set(metadata.tables)
    for name, table in metadata.tables.items():
        keys = list(KEYS.get(name, [column.name for column in table.primary_key]))
        others = [column.name for column in table.columns if column.name not in keys]
        if name in VERSIONED:
            assert set(VERSION_COLUMNS) <= set(others)
            others = [column for column in others if column not in VERSION_COLUMNS]
        assert told[name] == (keys, others), name


def test_the_page_is_of_the_current_format_and_tells_what_changed():
    """The title has the format's number; the changes name every table and column that the last step added."""
    assert PAGE.splitlines()[0] == f"# The store on disk, format {FORMAT_VERSION}"
    changes = section("Changes")
    assert re.findall(r"\*\*Format (\d+)\.", changes) == [str(number) for number in range(FORMAT_VERSION, 0, -1)]
    old = format_1().tables
    newest = changes.partition("**Format 1.")[0]
    added = {name for name in metadata.tables if name not in old}
    assert added <= set(re.findall(r"`(\w+)`", newest))
    columns = {f"{name}.{column.name}" for name in old for column in metadata.tables[name].columns}
    columns -= {f"{name}.{column.name}" for name in old for column in old[name].columns}
    assert columns == set(re.findall(r"`(\w+\.\w+)`", newest))


def test_numbers_and_lists_of_the_page_are_the_codes():
    """The writers' lock, the key columns and the references are those that the code uses."""
    assert f"advisory lock {connection._WRITERS_LOCK} " in section("Writers")
    first = section("Segments").partition("First the key columns:")[2].partition(";")[0]
    assert tuple(re.findall(r"`(\w+)`", first)) == KEY_COLUMNS
    told = set()
    for part in section("References").partition("name live rows:")[2].partition(". Every")[0].split(";"):
        sources, _, targets = part.partition("->")
        named = re.findall(r"`(\w+)`", targets)
        told |= {(source, target) for source in re.findall(r"`(\w+)`", sources) for target in named}
    told -= {(source, "holdout") for source, _ in told} | {("holdout", target) for _, target in told}
    assert told == {(each.table, each.named) for each in verified_catalogue._REFERENCES}


def test_a_reader_that_knows_only_the_page_reads_what_sql_answers(filled):
    """With sqlite3, json, hashlib and Parquet alone: ids, files and values of now and of an older commit."""
    key = MASK_KEYS[0]
    with commit_to(filled, "another mask of p1") as commit:
        again = record_of(key._replace(lesion="2"), mean=7.5)
        put_segment(filled, commit, [again])
        commit.put("masks", [{**key._asdict(), "image_sha256": again.image_sha256, "mask_sha256": again.mask_sha256}])
    for as_of in (2, 4):
        assert _read_by_the_page(filled.root, as_of) == {
            (row["patient"], row["phase"], row["lesion"], row["extraction_id"], row["original_firstorder_Mean"])
            for row in answer(Snapshot(filled, as_of), "from two_features_v1").to_pylist()
        }
    assert _read_by_the_page(filled.root, 2) != _read_by_the_page(filled.root, 4)


def _read_by_the_page(root, as_of):
    live = "added_commit <= :c and (removed_commit is null or removed_commit > :c)"
    with closing(sqlite3.connect(f"file:{root / 'catalogue.sqlite'}?mode=ro", uri=True)) as catalogue:
        catalogue.row_factory = sqlite3.Row

        def rows(table, where=live):
            return [dict(row) for row in catalogue.execute(f"select * from {table} where {where}", {"c": as_of})]

        (feature_set,) = rows("feature_sets")
        masks, extractions, segments = rows("masks"), rows("extractions"), rows("segments", "true")
    assert hashlib.sha256(feature_set["definition"].encode()).hexdigest() == feature_set["definition_sha256"]
    values = {}
    for segment in segments:
        content = (root / "segments" / segment["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == segment["sha256"]
        assert len(content) == segment["bytes"]
        assert Path(segment["path"]).stem == segment["sha256"][:20]
        for row in pq.read_table(root / "segments" / segment["path"]).to_pylist():
            values[segment["segment_id"], row["extraction_id"]] = row["original_firstorder_Mean"]
    found = set()
    for each in extractions:
        joined = each["image_sha256"] + each["mask_sha256"] + feature_set["definition_sha256"]
        assert hashlib.sha256(joined.encode("ascii")).hexdigest() == each["extraction_id"]
        value = values[each["segment_id"], each["extraction_id"]]
        found |= {
            (mask["patient"], mask["phase"], mask["lesion"], each["extraction_id"], value)
            for mask in masks
            if (mask["image_sha256"], mask["mask_sha256"]) == (each["image_sha256"], each["mask_sha256"])
        }
    return found


def test_canonical_json_is_what_the_page_says():
    """Sorted keys, no white space, characters as they are, shortest numbers: the text is given here in full."""
    assert canonical_json({"b": [1, 0.1, 1e-7, None], "a": {"é": True}}) == '{"a":{"é":true},"b":[1,0.1,1e-07,null]}'


def test_a_staged_record_is_what_the_page_says(store):
    """A staged extraction has the fields that the page names, and its file is named by its id."""
    record = record_of(MASK_KEYS[0])
    content = json.loads(stage(store.staging / "0123", record).read_text())
    told = section("Staging").partition("an object with")[2].partition("`staging/bench")[0]
    assert re.findall(r"`(\w+)`", told) == list(content)
    assert content["key"] == ["p1", "baseline", "AP", "1", "R1", 1]
