"""Damages of a store, one at a time: each found by verify, never served as an answer, and repaired where it can be.

``python -m tests.attacks.damages`` runs all of them and prints an outcome each; it exits with 1 where one is bad.
``--count N --seed S`` runs N of them, drawn by the seed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow.compute as pc
import pyarrow.parquet as pq
from archives.unpacking import ARCHIVES, unpack

from flows.keep.verification import repair_store, verified_store
from schemas.errors import RadzooError
from schemas.study.file import Study
from store.analyst.export import export_snapshot
from store.analyst.publish import publish_snapshot
from store.analyst.query import snapshot_connection
from store.backup.copy import back_up_store
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.reader import feature_table
from tests.builders.file_damage import flip, to_folder, to_pipe
from zoo.benchmark.holdout import judged_model
from zoo.models.saved import pinned_rows
from zoo.saving.persist import folder_sha256

RepairedBy = Literal["by itself", "from a backup", "not"]


@dataclass(frozen=True)
class Damage:
    """What is done to a store, and by what it can be repaired."""

    name: str
    do: Callable[[Path], None]
    repaired: RepairedBy = "by itself"
    is_served_right: bool = False
    """The store answers as before: the damage is in nothing that an answer is made of."""


def sql(*statements: str) -> Callable[[Path], None]:
    """Return what runs statements on the catalogue behind the store's back."""

    def do(root: Path) -> None:
        with closing(sqlite3.connect(root / "catalogue.sqlite")) as connection:
            for statement in statements:
                if not connection.execute(statement).rowcount:
                    raise AssertionError(f"the damage does nothing: {statement}")
            connection.commit()

    return do


def of_file(pattern: str, change: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return what changes the largest file that fits a pattern."""
    return lambda root: change(max(root.glob(pattern), key=lambda file: file.stat().st_size))


def truncate(file: Path) -> None:
    """Cut the second half off."""
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    """Leave no byte."""
    file.write_bytes(b"")


def to_link(file: Path) -> None:
    """Put a link to a file of the machine in its place."""
    file.unlink()
    file.symlink_to("/etc/hostname")


def to_link_to_itself(file: Path) -> None:
    """Put a link to the same bytes, elsewhere in the store, in its place."""
    moved = file.with_name("moved.parquet")
    file.replace(moved)
    file.symlink_to(moved.name)


def rename(file: Path) -> None:
    """Give it another name."""
    file.replace(file.with_name(f"another{file.suffix}"))


def other_values(file: Path) -> None:
    """Write a whole Parquet file of the same columns and rows, of which one number is another one."""
    table = pq.read_table(file)
    at = max(i for i, field in enumerate(table.schema) if str(field.type) == "double")
    name = table.column_names[at]
    pq.write_table(table.set_column(at, name, pc.add(table[name], 1.0)), file, compression="zstd")


def fewer_rows(file: Path) -> None:
    """Write the file without its last row."""
    table = pq.read_table(file)
    pq.write_table(table.slice(0, table.num_rows - 1), file, compression="zstd")


def swap(pattern: str) -> Callable[[Path], None]:
    """Return what gives two files each other's name."""

    def do(root: Path) -> None:
        one, other = sorted(root.glob(pattern))[:2]
        aside = one.with_name("aside")
        one.replace(aside)
        other.replace(one)
        aside.replace(other)

    return do


def foreign_file(root: Path) -> None:
    """Put a file into a model's folder."""
    (next(root.glob("models/*/*/v*")) / "notes.txt").write_text("hello")


def trash(root: Path) -> None:
    """Leave among the staged results what is none."""
    folder = root / "staging" / "abc"
    folder.mkdir(parents=True)
    (folder / "half.json").write_text('{"extraction_id": ')
    (folder / "list.json").write_text("[]")
    os.mkfifo(folder / "pipe.json")
    (folder / "folder.json").mkdir()


def older_catalogue(table: str, column: str) -> Callable[[Path], None]:
    """Return what deletes the newest rows of a table and lets the former ones live again."""
    return sql(
        f"delete from {table} where added_commit = (select max(added_commit) from {table})",
        f"update {table} set removed_commit = null where {column} is not null and removed_commit is not null",
    )


SEGMENT, DATASET, MODEL = "segments/*/*.parquet", "datasets/*.parquet", "models/*/*/*/*"
FILE_DAMAGES: Sequence[tuple[str, Callable[[Path], None]]] = (
    ("a bit flipped", flip),
    ("truncated", truncate),
    ("emptied", empty),
    ("deleted", os.unlink),
    ("replaced by a pipe", to_pipe),
    ("replaced by a folder", to_folder),
    ("replaced by a link", to_link),
)
DAMAGES: tuple[Damage, ...] = (
    *(Damage(f"segment: {name}", of_file(SEGMENT, change), "from a backup") for name, change in FILE_DAMAGES),
    Damage("segment: a link to its own bytes", of_file(SEGMENT, to_link_to_itself)),
    Damage("segment: renamed", of_file(SEGMENT, rename)),
    Damage("segment: other values, right columns", of_file(SEGMENT, other_values), "from a backup"),
    Damage("segment: a row less", of_file(SEGMENT, fewer_rows), "from a backup"),
    *(Damage(f"dataset: {name}", of_file(DATASET, change)) for name, change in FILE_DAMAGES),
    Damage("datasets: two swapped", swap(DATASET)),
    Damage("dataset: renamed", of_file(DATASET, rename)),
    Damage("dataset: other values, right columns", of_file(DATASET, other_values)),
    *(Damage(f"model: {name}", of_file(MODEL, change), "from a backup") for name, change in FILE_DAMAGES),
    Damage("models: two swapped", swap("models/*/*/*/estimator.skops"), "from a backup"),
    Damage("model: a foreign file in its folder", foreign_file),
    Damage("leaderboard: one AUC", sql("update leaderboard set auc = 0.99 where row_id = 3")),
    Damage("leaderboard: every AUC", sql("update leaderboard set auc = 0.99, auc_lo = 0.9")),
    Damage("leaderboard: a row deleted", sql("delete from leaderboard where row_id = 2")),
    Damage("threshold of a model", sql("update models set threshold = 0.01 where row_id = 1")),
    Damage("hash of a model", sql("update models set sha256 = replace(sha256, 'a', 'b') where row_id = 1")),
    Damage("prediction", sql("update predictions set probability = 1 - probability where row_id = 5")),
    Damage("threshold of a prediction", sql("update predictions set threshold = 0 where row_id = 5")),
    Damage("label", sql("update labels set label = 1 - label where row_id = 4")),
    Damage("all labels", sql("update labels set label = 1 - label")),
    Damage("split member", sql("update split_members set cohort = 'validation' where row_id < 4")),
    Damage("split member deleted", sql("delete from split_members where row_id = 1")),
    Damage("hash of a split", sql("update splits set sha256 = '0'")),
    Damage("study document", sql("update studies set definition = replace(definition, 'recurrence', 'survival')")),
    Damage("study's title", sql("update studies set title = 'Approved'")),
    Damage("outcome", sql("update outcomes set event = 1 - event where row_id = 2")),
    Damage("clinical value", sql("update clinical set value = value + 1 where row_id = 1 and value is not null")),
    Damage("commit deleted", sql("delete from commits where commit_id = 2")),
    Damage("commit's message", sql("update commits set message = 'x' where commit_id = 1")),
    Damage("row un-deleted", sql("update clinical set removed_commit = null where removed_commit is not null")),
    Damage("former row alone", older_catalogue("clinical", "removed_commit")),
    Damage("row ended", sql("update patients set removed_commit = 3 where row_id = 1")),
    Damage("row moved to another commit", sql("update masks set added_commit = 2 where row_id = 1")),
    Damage("row of nobody", sql("insert into patients (patient, added_commit) values ('stranger', 1)")),
    Damage("mask's hash", sql("update masks set mask_sha256 = '0' where row_id = 1")),
    Damage("extraction's segment", sql("update extractions set segment_id = 'x' where row_id = 1")),
    Damage("extraction deleted", sql("delete from extractions where row_id = 1")),
    Damage("segment's hash", sql("update segments set sha256 = '0'")),
    Damage("segment's path", sql("update segments set path = '../../etc/passwd'")),
    Damage("dataset's hash", sql("update datasets set sha256 = '0' where row_id = 1")),
    Damage("definition of a set", sql("update feature_sets set definition = replace(definition, '1', '2')")),
    Damage("dictionary", sql("update features set feature = 'other' where row_id = 1")),
    Damage("run", sql("update runs set status = 'failed' where rowid = 1")),
    Damage("staged trash", trash, is_served_right=True),
)


class Range:
    """A store without fault, its backup, what it answers, and copies of it to be damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        unpack(ARCHIVES["format_2"], folder / "first")
        store = Store(folder / "first" / "store")
        publish_snapshot(Snapshot(store))
        back_up_store(store, folder / "backup", folder_hash=folder_sha256)
        self.right = answers(store, folder / "out")
        store.engine.dispose()
        self.root = folder / "damaged" / "store"

    def damaged(self, damage: Damage) -> Store:
        """Return a store with one damage; it lies where the others lay."""
        shutil.rmtree(self.root.parent, ignore_errors=True)
        shutil.copytree(self.folder / "first" / "store", self.root)
        damage.do(self.root)
        return Store(self.root)

    def faults(self, damage: Damage) -> list[str]:
        """Return what is wrong with how the store meets a damage, nothing where all is right."""
        store = self.damaged(damage)
        found = []
        if verified_store(store).is_clean:
            found.append("verify finds nothing")
        found += self._wrong(store, "before the repair")
        repairs = repair_store(store)
        is_clean = verified_store(store).is_clean
        found += self._wrong(store, "after the repair", is_whole=is_clean)
        if is_clean != (damage.repaired == "by itself"):
            found.append(f"{'repaired' if is_clean else 'not repaired'}: {[each.what for each in repairs]}")
        if damage.repaired == "from a backup" and not is_clean:
            repairs = repair_store(store, self.folder / "backup")
            left = [each.what for check in verified_store(store).checks for each in check.findings]
            if left:
                found.append(f"not repaired from a backup: {left} {[each.what for each in repairs]}")
            found += self._wrong(store, "after the repair from a backup", is_whole=True)
        store.engine.dispose()
        return found

    def _wrong(self, store: Store, when: str, *, is_whole: bool = False) -> list[str]:
        out = self.folder / "out"
        now = answers(store, out)
        wrong = []
        for name, right in self.right.items():
            if isinstance(now[name], Exception):
                if not isinstance(now[name], RadzooError):
                    wrong.append(f"{name} {when}: {now[name]!r}")
                elif is_whole:
                    wrong.append(f"{name} {when}: {now[name]}")
            elif now[name] != right:
                wrong.append(f"{name} {when} is served wrong")
        return wrong


def answers(store: Store, out: Path) -> dict[str, Any]:
    """Return what each way to read a store gives, or the error."""
    shutil.rmtree(out, ignore_errors=True)
    snapshot = Snapshot(store)
    ways: Mapping[str, Callable[[], Any]] = {
        "sql": lambda: _views(snapshot),
        "reader": lambda: feature_table(snapshot, "quick@1").sort_by("extraction_id").to_pylist(),
        "predict": lambda: [judged_model(snapshot, row) for row in _models(snapshot)],
        "datasets": lambda: [pinned_rows(snapshot, row["dataset_id"]).rows() for row in snapshot.rows("datasets")],
        "study": lambda: [Study.model_validate_json(row["definition"]) for row in snapshot.rows("studies")],
        "export": lambda: _exported(snapshot, out),
    }
    found: dict[str, Any] = {}
    for name, way in ways.items():
        try:
            found[name] = way()
        except Exception as error:
            found[name] = error
    return found


def _models(snapshot: Snapshot) -> Iterable[dict[str, Any]]:
    return sorted(snapshot.rows("models"), key=lambda row: (row["model"], row["version"]))[:3]


def _views(snapshot: Snapshot) -> dict[str, list[Any]]:
    with snapshot_connection(snapshot) as connection:
        names = connection.sql("select view_name from duckdb_views() where not internal order by 1").fetchall()
        skipped = ("radiomics_long", "runs", "models", "datasets")  # long, or with the store's own folder and time
        return {
            name: connection.sql(f'from "{name}" order by all').fetchall() for (name,) in names if name not in skipped
        }


def _exported(snapshot: Snapshot, out: Path) -> list[tuple[str, Any]]:
    export_snapshot(snapshot, out)
    return [(file.name, pq.read_table(file).to_pylist()) for file in sorted(out.glob("*.parquet"))]


def run(damages: Sequence[Damage]) -> int:
    """Run damages, print an outcome each, and return how many were bad."""
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        field = Range(Path(folder))
        for damage in damages:
            faults = field.faults(damage)
            bad += bool(faults)
            print(
                f"{'BAD' if faults else 'ok ':<4} {damage.repaired:<13} {damage.name}",
                *faults,
                sep="\n      ",
                flush=True,
            )
    print(f"{len(damages)} damages, {bad} bad")
    return bad


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=len(DAMAGES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    chosen = [each for each in DAMAGES if options.only in each.name]
    if options.count < len(chosen):
        chosen = random.Random(options.seed).sample(chosen, options.count)  # noqa: S311  (a draw that can be repeated)
    sys.exit(bool(run(chosen)))


if __name__ == "__main__":
    main()
