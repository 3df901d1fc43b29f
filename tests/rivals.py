"""Processes that write to and read one store at the same time, and what they found.

    python tests/rivals.py write STORE NAME COMMITS publish|keep
    python tests/rivals.py read STORE SEED

Each says ``ready`` when it has opened the store, begins at the next line on its standard input, and answers with
one line of JSON. A reader reads until its input ends.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from schemas.keys import MaskKey, extraction_id, sha256_of_json
from store.analyst.publish import publish_snapshot
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.segments import write_segment
from store.rows.staging import ExtractionRecord

__all__ = ["Race", "race"]

FEATURE_SET, COLUMNS = "raced@1", ("original_firstorder_Mean", "original_glcm_Idm_y")
DEFINITION = sha256_of_json("raced")
PATIENTS, EXTRACTIONS = 3, 2
"""Rows that each commit adds to the tables of patients and their values, and to those of masks and extractions."""

PUBLISHED_EACH = 4
"""After how many commits of its own the publishing writer publishes: once for some ten commits of all."""

COUNTS = """
select (select count(*) from patients) as patients, (select count(distinct patient) from patients) as different,
    (select count(*) from exams) as exams, (select count(*) from clinical) as clinical,
    (select count(*) from masks) as masks, (select count(*) from raced) as wide,
    (select count(distinct extraction_id) from raced_v1) as extractions,
    (select max(commit_id) from commits) as commit_id, (select count(*) from commits) as commits,
    (select sum(value) from clinical where variable = 'total') as shared
"""


def whole(commit_id: int) -> dict[str, int]:
    """Return what `COUNTS` gives where every commit up to this one is there whole, and nothing else is."""
    return {
        **dict.fromkeys(("patients", "different", "exams"), PATIENTS * commit_id),
        "clinical": PATIENTS * commit_id + 1,
        **dict.fromkeys(("masks", "wide", "extractions"), EXTRACTIONS * commit_id),
        **dict.fromkeys(("commit_id", "commits", "shared"), commit_id),
    }


@dataclass(frozen=True)
class Race:
    """What the processes of a race reported."""

    commits: list[list[int]]
    """The commit ids that each writer was given."""
    seconds: float
    """From the start to the last writer's last commit."""
    readers: list[dict[str, Any]]
    """Of each reader: how many reads of each kind, the slowest of each in seconds, and the faults it saw."""


def race(root: Path, *, writers: int, commits: int, readers: int, publishing: bool = True) -> Race:
    """Let processes write to and read a store at once, and return what they reported.

    The first writer publishes between its commits, where asked to.
    """
    writing = [
        ["write", str(root), f"w{number}", str(commits), "publish" if publishing and number == 0 else "keep"]
        for number in range(writers)
    ]
    reading = [["read", str(root), str(number)] for number in range(readers)]
    with ExitStack() as stack:
        rivals = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, __file__, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for arguments in (*writing, *reading)
        ]
        stack.callback(lambda: [each.kill() for each in rivals])
        for each in rivals:
            if each.stdout.readline() != "ready\n":
                raise RuntimeError(each.stderr.read())
        for each in rivals:
            each.stdin.write("go\n")
            each.stdin.flush()
        written = [reported(each) for each in rivals[:writers]]
        read = [reported(each) for each in rivals[writers:]]
    began, ended = min(each["began"] for each in written), max(each["ended"] for each in written)
    return Race([each["commits"] for each in written], ended - began, read)


def reported(rival: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a process reports; the end of its input tells a reader to stop."""
    out, err = rival.communicate()
    if rival.returncode:
        raise RuntimeError(err)
    found: dict[str, Any] = json.loads(out)
    return found


def record_of(name: str, number: int, lesion: int) -> ExtractionRecord:
    """Return a finished extraction that no other writer or commit has."""
    key = MaskKey(f"{name}-{number}-0", "baseline", "AP", str(lesion), "R1", 1)
    image, mask = sha256_of_json([name, number]), sha256_of_json(list(key))
    values = dict.fromkeys(COLUMNS, number + 0.5)
    details = {"grey_levels": {"original": 60}, "zero_fraction": {"original": 0.0}}
    return ExtractionRecord(extraction_id(image, mask, DEFINITION), key, image, mask, values, details=details)


def one_commit(store: Store, name: str, number: int) -> int:
    """Write rows of this writer's own to many tables, add one to the shared value, and return the commit's id."""
    patients = [f"{name}-{number}-{patient}" for patient in range(PATIENTS)]
    records = [record_of(name, number, lesion) for lesion in range(EXTRACTIONS)]
    sums = [{"image_sha256": each.image_sha256, "mask_sha256": each.mask_sha256} for each in records]
    with commit_to(store, f"{name} {number}") as commit:
        before = Snapshot(store).rows("clinical", variable="total")
        total = 1 + sum(row["value"] for row in before)
        commit.put("clinical", [{"patient": "all", "variable": "total", "observed_at": "", "value": total}])
        commit.put("patients", [{"patient": patient} for patient in patients])
        commit.put("study_patients", [{"study": "raced", "patient": patient} for patient in patients])
        commit.put("exams", [{"patient": patient, "exam": "baseline"} for patient in patients])
        age = {"variable": "age", "observed_at": "", "value": float(number)}
        commit.put("clinical", [age | {"patient": patient} for patient in patients])
        texts = {"kind": "radiomics", "description": "", "definition": "{}", "deviations": "{}"}
        named = {"feature_set": FEATURE_SET, "name": "raced", "version": 1, "features": len(COLUMNS)}
        commit.put("feature_sets", [named | texts | {"definition_sha256": DEFINITION}])
        columns = [{"feature_set": FEATURE_SET, "position": at, "feature": column} for at, column in enumerate(COLUMNS)]
        commit.put("features", columns)
        segment = write_segment(store.segments, FEATURE_SET, COLUMNS, records)
        commit.put("segments", [vars(segment)])
        own = {"feature_set": FEATURE_SET, "segment_id": segment.segment_id}
        commit.put(
            "extractions",
            [own | {"extraction_id": r.extraction_id} | content for r, content in zip(records, sums, strict=True)],
        )
        commit.put("masks", [r.key._asdict() | content for r, content in zip(records, sums, strict=True)])
    return commit.commit_id


def write(root: str, name: str, commits: str, publishing: str) -> dict[str, Any]:
    """Commit so many times as fast as the store takes them."""
    store = Store(Path(root))
    print("ready", flush=True)
    sys.stdin.readline()
    began, ids = time.time(), []
    for number in range(int(commits)):
        ids.append(one_commit(store, name, number))
        if publishing == "publish" and number % PUBLISHED_EACH == 0:
            publish_snapshot(Snapshot(store))
    return {"commits": ids, "began": began, "ended": time.time()}


def counted(store: Store, as_of: int | None) -> tuple[int, dict[str, int]]:
    """Return a snapshot's commit and its counts, read table by table while others write."""
    snapshot = Snapshot(store, as_of)
    rows = {table: snapshot.rows(table) for table in ("clinical", "extractions", "masks", "patients", "exams")}
    ids = {row["extraction_id"] for row in rows["extractions"]}
    return snapshot.commit_id, {
        "patients": len(rows["patients"]),
        "different": len({row["patient"] for row in rows["patients"]}),
        "exams": len(rows["exams"]),
        "clinical": len(rows["clinical"]),
        "masks": len(rows["masks"]),
        "wide": sum(row["rows"] for row in snapshot.rows("segments")),
        "extractions": len(ids),
        "commit_id": snapshot.commit_id,
        "commits": len(snapshot.arrow("commits")),
        "shared": sum(row["value"] for row in rows["clinical"] if row["variable"] == "total"),
    }


def asked(store: Store, as_of: int | None) -> tuple[int, dict[str, int]]:
    """Return a snapshot's commit and its counts, by one question in SQL."""
    snapshot = Snapshot(store, as_of)
    (row,) = answer(snapshot, COUNTS).to_pylist()
    return snapshot.commit_id, row


def of_client(store: Store) -> tuple[int, dict[str, int]]:
    """Return commit and counts that a plain DuckDB client reads from the published file."""
    with duckdb.connect(str(store.analyst_file), read_only=True) as client:
        (row,) = client.sql(COUNTS).to_arrow_table().to_pylist()
    return row["commit_id"], row


def read(root: str, seed: str) -> dict[str, Any]:
    """Read in every way, now and as of old commits, until the input ends."""
    # A reader that had to wait for any writer would fail at once.
    store = Store(Path(root), busy_timeout_s=0.0)
    stopped = threading.Event()
    print("ready", flush=True)
    sys.stdin.readline()
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    draw = random.Random(int(seed))  # noqa: S311  (which commit is read again)
    reads, slowest, faults = dict.fromkeys(("rows", "sql", "file"), 0), dict.fromkeys(("rows", "sql", "file"), 0.0), []
    # A breath between rounds leaves the cores to those whom the reading is to be raced against.
    while not stopped.wait(0.01):
        newest = Snapshot(store).commit_id
        if newest == 0:
            continue
        ways = {"rows": lambda past: counted(store, past), "sql": lambda past: asked(store, past)}
        if store.analyst_file.exists():
            ways["file"] = lambda _past: of_client(store)
        for way, look in ways.items():
            past = draw.choice((None, draw.randint(1, newest)))
            began = time.perf_counter()
            commit_id, found = look(past)
            slowest[way] = max(slowest[way], time.perf_counter() - began)
            reads[way] += 1
            if found != whole(commit_id):
                faults.append([way, commit_id, {k: v for k, v in found.items() if whole(commit_id)[k] != v}])
    return {"reads": reads, "slowest": slowest, "faults": faults, "newest": newest}


if __name__ == "__main__":
    print(json.dumps({"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])))
