"""What the store costs over its size, beside a bare DuckDB and beside Feast, all in one run.

    python tests/benchmarks/store_scale.py [point-in-time] [append] [one-study] [curves] [--folder DIR] [--figure FILE]

Feast runs in a virtual environment of its own, which is made on the first run (a few minutes).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.feature_names import column_names
from schemas.keys import MaskKey, extraction_id, sha256_of_json
from schemas.radiomics_settings import HCC_CEMRI
from store.analyst import quoted_text
from store.commit import commit_to
from store.home import Store
from store.query import answer
from store.reader import feature_table
from store.segments import stored_segment
from store.snapshot import Snapshot
from store.staging import ExtractionRecord
from store.writer import appended

SET = "hcc-cemri@1"
COLUMNS = column_names(HCC_CEMRI.image_types(), HCC_CEMRI.families)
DEFINITION = sha256_of_json("benchmark")
PHASES = ("AP", "PVP", "DP")
REPEATS = 5
FEAST = Path(__file__).with_name("feast_store.py")


def median_seconds(action: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median duration of an action, after one run that does not count."""
    action()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def keys_of(first: int, rows: int) -> list[MaskKey]:
    """Return mask keys, three phases a patient."""
    return [MaskKey(f"P{n // 3:06}", "baseline", PHASES[n % 3], "1", "R1", 1) for n in range(first, first + rows)]


def rows_of(keys: list[MaskKey], seed: int) -> pa.Table:
    """Return a segment's table with random values for these keys."""
    random = np.random.default_rng(seed)
    images = [sha256_of_json(["image", *key]) for key in keys]
    masks = [sha256_of_json(["mask", *key]) for key in keys]
    details = [{"original": 60.0}] * len(keys)
    head = {
        "extraction_id": [extraction_id(i, m, DEFINITION) for i, m in zip(images, masks, strict=True)],
        **{name: [getattr(key, name) for key in keys] for name in MaskKey._fields},
        "image_sha256": images,
        "mask_sha256": masks,
        "grey_levels": details,
        "zero_fraction": details,
    }
    values = {name: random.standard_normal(len(keys)) for name in COLUMNS}
    return pa.table({**head, **values})


def put_catalogue(commit, keys: list[MaskKey], rows: pa.Table, segment_id: str, study: str) -> None:
    """Write what ingest and refresh write of these rows."""
    content = [
        {"image_sha256": i, "mask_sha256": m}
        for i, m in zip(rows["image_sha256"].to_pylist(), rows["mask_sha256"].to_pylist(), strict=True)
    ]
    named = [key._asdict() for key in keys]
    day = date(2020, 1, 1)
    patients = sorted({key.patient for key in keys})
    commit.put("masks", [k | c for k, c in zip(named, content, strict=True)])
    commit.put("study_masks", [{"study": study, "is_primary": 1} | k for k in named])
    commit.put(
        "exams",
        [{"patient": p, "exam": "baseline", "acquired_on": str(day + timedelta(hash_day(p)))} for p in patients],
    )
    identities = rows["extraction_id"].to_pylist()
    own = {"feature_set": SET, "segment_id": segment_id}
    commit.put("extractions", [own | {"extraction_id": e} | c for e, c in zip(identities, content, strict=True)])
    commit.put("study_extractions", [{"study": study, "feature_set": SET, "extraction_id": e} for e in identities])


def hash_day(patient: str) -> int:
    """Return a day between 0 and 999 that follows from a pseudonym."""
    return int(sha256_of_json(patient)[:8], 16) % 1000


def filled_store(root: Path, parts: list[tuple[str, int, int]]) -> Store:
    """Return a store with a commit and a segment for each (study, first row, number of rows)."""
    store = Store(root, create=True)
    with commit_to(store, "feature set") as commit:
        name, _, version = SET.partition("@")
        about = {"feature_set": SET, "name": name, "version": int(version), "kind": "radiomics", "description": ""}
        commit.put("feature_sets", [about | {"features": len(COLUMNS), "definition_sha256": DEFINITION}])
        rows = [{"feature_set": SET, "position": at, "feature": each} for at, each in enumerate(COLUMNS)]
        commit.put("features", rows)
    for study, first, number in parts:
        for start in range(first, first + number, 10_000):
            keys = keys_of(start, min(10_000, first + number - start))
            rows = rows_of(keys, seed=start)
            with commit_to(store, f"refresh {study}") as commit:
                segment = stored_segment(store.segments, SET, rows)
                commit.put("segments", [vars(segment)])
                put_catalogue(commit, keys, rows, segment.segment_id, study)
    return store


def bare_read(files: list[str]) -> pa.Table:
    """Return what a DuckDB that knows nothing of the store reads from the same files."""
    listed = ", ".join(quoted_text(file) for file in files)
    names = ", ".join(f'"{name}"' for name in (*MaskKey._fields, "extraction_id", *COLUMNS))
    with duckdb.connect() as connection:
        return connection.sql(f"select {names} from read_parquet([{listed}])").to_arrow_table()


def segment_files(store: Store) -> list[str]:
    """Return the local paths of all segments."""
    return [str(store.segments.local(path)) for path in store.segments.paths()]


def point_in_time(folder: Path) -> None:
    """Compare a read at reference dates with a bare DuckDB and with Feast's DuckDB store."""
    rows = 20_001
    store = filled_store(folder / "pit", [("all", 0, rows)])
    snapshot = Snapshot(store)
    at = {key.patient: "2023-01-01" for key in keys_of(0, rows)}
    found = feature_table(snapshot, SET, at=at)
    assert found.num_rows == rows
    ours = median_seconds(lambda: feature_table(snapshot, SET, at=at))
    bare = median_seconds(lambda: bare_read(segment_files(store)))
    source = folder / "feast" / "features.parquet"
    source.parent.mkdir()
    flat = bare_read(segment_files(store))
    series = [f"{p}_{f}" for p, f in zip(flat["patient"].to_pylist(), flat["phase"].to_pylist(), strict=True)]
    acquired = {key.patient: date(2020, 1, 1) + timedelta(hash_day(key.patient)) for key in keys_of(0, rows)}
    times = pa.array([acquired[p] for p in flat["patient"].to_pylist()], pa.date32()).cast(pa.timestamp("us", "UTC"))
    table = pa.table({"series": series, "acquired_at": times, **{name: flat[name] for name in COLUMNS}})
    pq.write_table(table, source)
    theirs = feast_seconds(source)
    print(f"20,001 x {len(COLUMNS)} at a reference date, medians of {REPEATS}:")
    print(f"  radzoo       {ours:8.2f} s")
    print(f"  bare DuckDB  {bare:8.2f} s   radzoo takes {ours / bare:.2f} times as long")
    print(f"  Feast        {theirs['seconds']:8.2f} s   {theirs['seconds'] / ours:.1f} times radzoo's time")
    print(f"  ({theirs['feast']}, its DuckDB offline store, {theirs['rows']} rows; median of {theirs['repeats']})")


def feast_seconds(source: Path) -> dict:
    """Return what Feast measured of itself, in a virtual environment of its own."""
    place = Path.home() / ".cache" / "radzoo-benchmarks" / "feast"
    python = place / "bin" / "python"
    if not python.exists():
        print("installing Feast in a virtual environment of its own", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "feast[duckdb]"], check=True)
    told = subprocess.run([str(python), str(FEAST), str(source)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(told.stdout.splitlines()[-1])


def append_seconds(store: Store, number: int) -> float:
    """Return how long a commit of three more rows takes, from finished records to the landed commit."""
    keys = [MaskKey(f"N{number:06}", "baseline", phase, "1", "R1", 1) for phase in PHASES]
    rows = rows_of(keys, seed=number)
    records = [
        ExtractionRecord(
            row["extraction_id"], key, row["image_sha256"], row["mask_sha256"], {name: row[name] for name in COLUMNS}
        )
        for key, row in zip(keys, rows.to_pylist(), strict=True)
    ]
    started = time.perf_counter()
    with commit_to(store, "three more") as commit:
        segment = appended(commit, store, SET, COLUMNS, records)
        assert segment is not None
        own = {"study": "all", "feature_set": SET}
        commit.put("study_extractions", [own | {"extraction_id": r.extraction_id} for r in records])
        commit.put("study_masks", [{"study": "all", "is_primary": 1} | key._asdict() for key in keys])
    return time.perf_counter() - started


def append(folder: Path) -> None:
    """Time three more rows in a small and in a large store."""
    print("three more rows, medians of 9:")
    for rows in (300, 40_000):
        store = filled_store(folder / f"append-{rows}", [("all", 0, rows)])
        append_seconds(store, 0)
        taken = [append_seconds(store, number) for number in range(1, 10)]
        print(f"  to {rows:7,} rows  {statistics.median(taken):.3f} s (longest {max(taken):.3f})")


def one_study(folder: Path) -> None:
    """Compare a study of 500 patients in a store of 100,000 rows with a store that holds only them."""
    few = ("few", 50_001, 1_500)
    alone = filled_store(folder / "alone", [few])
    crowd = [("others", 0, 50_001), few, ("others", 51_501, 48_499)]
    crowded = filled_store(folder / "crowded", crowd)
    print("one study's 500 patients x 3 phases, medians of 5:")
    taken = []
    for name, store in (("a store of its own", alone), ("among 100,000 rows", crowded)):
        taken.append(median_seconds(lambda store=store: feature_table(Snapshot(store), SET, study="few")))
        assert feature_table(Snapshot(store), SET, study="few").num_rows == 1500
        print(f"  {name}  {taken[-1]:.3f} s")
    print(f"  ratio {taken[1] / taken[0]:.2f}")


def curves(folder: Path, figure: Path | None) -> None:
    """Time reads, appends and questions over the number of rows and of commits."""
    by_rows, by_commits = [], []
    for rows in (1_000, 3_000, 10_000, 30_000, 100_000):
        store = filled_store(folder / f"rows-{rows}", [("few", 0, 300), ("all", 300, rows - 300)])
        by_rows.append((rows, *costs(store)))
        shutil.rmtree(store.root)
    store = filled_store(folder / "commits", [("few", 0, 300), ("all", 300, 700)])
    done = 1
    for commits in (1, 10, 100, 1_000):
        for number in range(done, commits):
            append_seconds(store, 1_000_000 + number)
        done = commits
        by_commits.append((commits, *costs(store)))
    names = ("append 3 rows", "read 300 rows", "SQL question", "bytes of the catalogue")
    for what, table in (("rows", by_rows), ("commits", by_commits)):
        print(f"| {what} | " + " | ".join(f"{n}, s" if "bytes" not in n else n for n in names) + " |")
        print("|---" * (len(names) + 1) + "|")
        for size, *values in table:
            print(
                f"| {size:,} | " + " | ".join(f"{v:.3f}" if isinstance(v, float) else f"{v:,}" for v in values) + " |"
            )
    if figure is not None:
        draw(by_rows, by_commits, names[:3], figure)


def costs(store: Store) -> tuple[float, float, float, int]:
    """Return what appending, reading a study of 300 rows and a question take, and the catalogue's size."""
    adding = statistics.median(append_seconds(store, 2_000_000 + time.time_ns() % 1_000_000) for _ in range(5))
    reading = median_seconds(lambda: feature_table(Snapshot(store), SET, study="few"), 3)
    asking = median_seconds(lambda: answer(Snapshot(store), "select phase, count(*) from hcc_cemri group by all"), 3)
    return adding, reading, asking, store.catalogue_file.stat().st_size


def draw(by_rows: list[tuple], by_commits: list[tuple], names: tuple[str, ...], figure: Path) -> None:
    """Draw the costs over size, both axes logarithmic."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (what, table) in zip(
        canvas.subplots(1, 2, sharey=True), (("rows", by_rows), ("commits", by_commits)), strict=True
    ):
        for position, name in enumerate(names, start=1):
            axes.plot([row[0] for row in table], [row[position] for row in table], marker="o", label=name)
        axes.set(xscale="log", yscale="log", xlabel=f"{what} in the store", ylabel="seconds" if what == "rows" else "")
        axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False)
    canvas.savefig(figure)


def main() -> None:
    """Run what is asked for, or everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"point-in-time": point_in_time, "append": append, "one-study": one_study}
    parser.add_argument("parts", nargs="*", choices=[*parts, "curves", []], default=[*parts, "curves"])
    parser.add_argument("--folder", type=Path, help="where the stores are made; a temporary folder where not given")
    parser.add_argument("--figure", type=Path, help="an SVG of the costs over size")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for name in asked.parts:
            if name == "curves":
                curves(Path(folder), asked.figure)
            else:
                parts[name](Path(folder))
            print(flush=True)


if __name__ == "__main__":
    main()
