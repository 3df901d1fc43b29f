"""What the store costs over its size, beside a bare DuckDB and beside Feast, all in one run.

    python tests/benchmarks/store_scale.py [point-in-time] [append] [one-study] [curves] [--folder DIR] [--figure FILE]

`--scale 0.01` tries it out on a hundredth of the rows. Feast runs in a virtual environment of its own, which is made on
the first run (a few minutes).
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
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from large_store import COLUMNS, DEFINITION, SET, add_rows, append_seconds, filled_store, hash_day, keys_of

from schemas.keys import MaskKey, extraction_id
from store.analyst.query import answer
from store.analyst.view_parts import quoted_text
from store.commits.commit import commit_to
from store.compaction.compact import compact_feature_set
from store.history.runs import record_run
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.reader import feature_table

REPEATS = 5
COSTS = ("append 3 rows", "read a study of 300 rows", "read all rows", "ask in SQL")
FEAST = Path(__file__).with_name("rivals") / "feast_store.py"


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def medians(*actions: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Return the median duration of each action, taking turns, after one round that does not count."""
    taken = [[seconds(action) for action in actions] for _ in range(repeats + 1)]
    return [statistics.median(of_action) for of_action in zip(*taken[1:], strict=True)]


def bare_read(files: list[str]) -> pa.Table:
    """Return what a DuckDB that knows nothing of the store reads from the same files."""
    listed = ", ".join(quoted_text(file) for file in files)
    names = ", ".join(f'"{name}"' for name in (*MaskKey._fields, "extraction_id", *COLUMNS))
    with duckdb.connect() as connection:
        return connection.sql(f"select {names} from read_parquet([{listed}])").to_arrow_table()


def segment_files(store: Store) -> list[str]:
    """Return the local paths of all segments."""
    return [str(store.segments.local(path)) for path in store.segments.paths()]


def point_in_time(folder: Path, scale: float) -> None:
    """Compare a read at reference dates with a bare DuckDB and with Feast's DuckDB store."""
    rows = round(6_667 * scale) * 3
    store = filled_store(folder / "pit", [("all", 0, rows)])
    snapshot = Snapshot(store)
    at = {key.patient: "2023-01-01" for key in keys_of(0, rows)}
    files = segment_files(store)
    flat = bare_read(files)
    found = feature_table(snapshot, SET, at=at)
    assert found.num_rows == flat.num_rows == rows
    ours, bare = medians(lambda: feature_table(snapshot, SET, at=at), lambda: bare_read(files))
    source = folder / "feast" / "features.parquet"
    source.parent.mkdir()
    series = [f"{p}_{f}" for p, f in zip(flat["patient"].to_pylist(), flat["phase"].to_pylist(), strict=True)]
    acquired = {key.patient: date(2020, 1, 1) + timedelta(hash_day(key.patient)) for key in keys_of(0, rows)}
    times = pa.array([acquired[p] for p in flat["patient"].to_pylist()], pa.date32()).cast(pa.timestamp("us", "UTC"))
    table = pa.table({"series": series, "acquired_at": times, **{name: flat[name] for name in COLUMNS}})
    pq.write_table(table, source, compression="zstd")
    del flat, found, table
    theirs = feast_seconds(source)
    assert theirs["rows"] == rows
    print(f"{rows:,} x {len(COLUMNS)} at a reference date, medians of {REPEATS}:")
    print(f"  radzoo       {ours:8.2f} s")
    print(f"  bare DuckDB  {bare:8.2f} s   radzoo takes {ours / bare:.2f} times as long")
    print(f"  Feast        {theirs['seconds']:8.2f} s   {theirs['seconds'] / ours:.1f} times radzoo's time")
    print(f"  ({theirs['feast']}, its DuckDB offline store; median of {theirs['repeats']})")


def feast_seconds(source: Path) -> dict:
    """Return what Feast measured of itself, in a virtual environment of its own."""
    place = Path.home() / ".cache" / "radzoo-benchmarks" / "feast"
    python = place / "bin" / "python"
    if not python.exists():
        print("installing Feast in a virtual environment of its own", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "feast[duckdb]"], check=True)
    told = subprocess.run(
        [str(python), "-W", "ignore", str(FEAST), str(source)], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(told.stdout.splitlines()[-1])


def append(folder: Path, scale: float) -> None:
    """Time three more rows in a small and in a large store."""
    print("three more rows, medians of 9:")
    for rows in (300, 40_000 * scale):
        store = filled_store(folder / f"append-{rows:.0f}", [("all", 0, round(rows))])
        append_seconds(store, 0)
        taken = [append_seconds(store, number) for number in range(1, 10)]
        print(f"  to {rows:7,.0f} rows  {statistics.median(taken):.3f} s (longest {max(taken):.3f})")


def one_study(folder: Path, scale: float) -> None:
    """Compare a study of 500 patients in a store of 100,000 rows with a store that holds only them."""
    few, rows = round(500 * scale) * 3, round(33_334 * scale) * 3
    alone = filled_store(folder / "alone", [("few", 0, few)])
    apart = filled_store(folder / "apart", [("others", 0, rows // 2), ("few", rows // 2, few)])
    add_rows(apart, "others", rows // 2 + few, rows - rows // 2 - few)
    # The study's patients lie among all others, evenly: computed with them, by one study that holds everybody.
    among = filled_store(folder / "among", [("everybody", 0, rows)])
    with commit_to(among, "a study of some") as commit:
        patients = {f"P{number * (rows // few):06}" for number in range(few // 3)}
        own = [key for key in keys_of(0, rows) if key.patient in patients]
        commit.put("study_masks", [{"study": "few", "is_primary": 1} | key._asdict() for key in own])
        known = {MaskKey.of(row): row for row in Snapshot(among).rows("masks")}
        names = ("image_sha256", "mask_sha256")
        identities = [extraction_id(*(known[key][name] for name in names), DEFINITION) for key in own]
        commit.put(
            "study_extractions", [{"study": "few", "feature_set": SET, "extraction_id": each} for each in identities]
        )
    stores = {"a store of its own": alone, "apart from others": apart, "among others": among}
    report_one_study(stores, few, rows)
    for store in (apart, among):
        taken = seconds(lambda store=store: compact(store))
        print(f"compacted {rows:,} rows in {taken:.0f} s")
    report_one_study(stores, few, rows)


def compact(store: Store) -> None:
    """Merge the small segments of the only feature set."""
    with record_run(store, "compact", None, {}) as run:
        compact_feature_set(store, SET, run=run)


def report_one_study(stores: dict[str, Store], few: int, rows: int) -> None:
    """Print what reading a study takes in each store, taking turns."""
    for store in stores.values():
        assert feature_table(Snapshot(store), SET, study="few").num_rows == few
    taken = medians(*(partial(study_read, store) for store in stores.values()))
    print(f"one study's {few:,} rows of {rows:,}, medians of {REPEATS}:")
    for (name, store), time_s in zip(stores.items(), taken, strict=True):
        files = len(Snapshot(store).rows("segments"))
        print(f"  {name:20} {time_s:.3f} s  ratio {time_s / taken[0]:.2f}  ({files} segments)")


def study_read(store: Store) -> pa.Table:
    """Return the rows of the study of few."""
    return feature_table(Snapshot(store), SET, study="few")


def curves(folder: Path, scale: float, figure: Path | None) -> None:
    """Time reads, appends and questions over the number of rows and of commits."""
    head("rows")
    by_rows = []
    for rows in (1_000, 3_000, 10_000, 30_000, 100_000):
        rows = max(600, round(rows * scale))
        store = filled_store(folder / f"rows-{rows}", [("few", 0, 300), ("all", 300, rows - 300)])
        by_rows.append((rows, *costs(store, f"{rows:,}")))
        shutil.rmtree(store.root)
    head("commits")
    store = filled_store(folder / "commits", [("few", 0, 300), ("all", 300, 700)])
    by_commits = []
    for commits in (10, 100, 1_000):
        commits = max(10, round(commits * scale))
        for number in range(Snapshot(store).commit_id, commits):
            append_seconds(store, number)
        landed = Snapshot(store).commit_id
        by_commits.append((landed, *costs(store, f"{landed:,}")))
    compact(store)
    costs(store, f"{Snapshot(store).commit_id:,}, compacted")
    if figure is not None:
        draw(by_rows, by_commits, figure)


def head(what: str) -> None:
    """Print a table's head."""
    print(f"| {what} | " + " | ".join(f"{name}, s" for name in COSTS) + " | catalogue, MB |")
    print("|---" * (len(COSTS) + 2) + "|", flush=True)


def costs(store: Store, label: str) -> list[float]:
    """Print and return what appending, a read of 300 rows, of everything, and a question take, and megabytes."""
    reads: list[Callable[[], object]] = [
        lambda: study_read(store),
        lambda: feature_table(Snapshot(store), SET),
        lambda: answer(Snapshot(store), "select phase, avg(original_firstorder_Mean) from hcc_cemri group by all"),
    ]
    study_read(store)
    # A thousand files are read in minutes: once, where there are many.
    many = len(Snapshot(store).rows("segments")) > 200
    taken = [seconds(read) for read in reads] if many else medians(*reads, repeats=3)
    megabytes = sum(file.stat().st_size for file in store.root.glob("catalogue.sqlite*")) / 1e6
    # Last, for each of them is a commit more.
    first = 500_000 + Snapshot(store).commit_id
    found = [statistics.median(append_seconds(store, first + at) for at in range(5)), *taken, megabytes]
    print(f"| {label} | " + " | ".join(f"{value:.3f}" for value in found[:-1]) + f" | {megabytes:.1f} |", flush=True)
    return found


def draw(by_rows: list[tuple], by_commits: list[tuple], figure: Path) -> None:
    """Draw the costs over size, both axes logarithmic."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (what, table) in zip(
        canvas.subplots(1, 2, sharey=True), (("rows", by_rows), ("commits", by_commits)), strict=True
    ):
        for position, name in enumerate(COSTS, start=1):
            axes.plot([row[0] for row in table], [row[position] for row in table], marker="o", label=name)
        axes.set(xscale="log", yscale="log", xlabel=f"{what} in the store", ylabel="seconds" if what == "rows" else "")
        axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False)
    canvas.savefig(figure, metadata={"Date": None})


def main() -> None:
    """Run what is asked for, or everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"point-in-time": point_in_time, "append": append, "one-study": one_study}
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(parts)}, curves; all where none is given")
    parser.add_argument("--folder", type=Path, help="where the stores are made; a temporary folder where not given")
    parser.add_argument("--figure", type=Path, help="an SVG of the costs over size")
    parser.add_argument("--scale", type=float, default=1.0, help="how many times the rows, to try it out")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - {*parts, "curves"}:
        parser.error(f"no part {', '.join(sorted(unknown))}")
    for name in asked.parts or [*parts, "curves"]:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            if name == "curves":
                curves(Path(folder), asked.scale, asked.figure)
            else:
                parts[name](Path(folder), asked.scale)
            print(flush=True)


if __name__ == "__main__":
    main()
