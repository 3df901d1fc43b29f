"""A patient is erased at random moments of every verb; afterwards no byte of the store may name the patient.

    python -m tests.attacks.erase_races [--count 10] [--seed 1] [--catalogue sqlite] [--verbs train,bench]

A verb is a process of its own. At a moment drawn from its undisturbed run it is stopped, or not, and the patient is
erased here. When it has ended, every file of the store is searched, also what Parquet, DuckDB and zip files hold, and
the catalogue; models that were trained on the patient must be marked, and only those; `store verify` must be clean.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
import pyarrow.parquet as pq
from sqlalchemy import select

from attacks.made.race_study import PATIENT, VERBS, Stages, race_stages
from schemas.errors import StoreBusyError
from store.catalogue.connection import read_transaction
from store.catalogue.tables import metadata
from store.erasure.erase import erase_patient
from store.history.snapshot import Snapshot
from store.home import Store
from store.verification.verify import store_verification
from zoo.saving.persist import folder_sha256

__all__ = ["Outcome", "faults_after", "naming_places", "trial"]

TRAINING = 16
"""Patients of the study who train, with the one who is erased."""


@dataclass(frozen=True)
class Outcome:
    """What became of one race."""

    verb: str
    moment_s: float
    is_stopped: bool
    exit_code: int
    erased_while_running: bool
    faults: tuple[str, ...]


def naming_places(store: Store, patient: str = PATIENT) -> list[str]:
    """Return where a store's bytes have a pseudonym: files, what they hold compressed, rows of the catalogue."""
    token = patient.encode()
    found = []
    # SQLite's locks are a process's: reading the file's bytes would let go of those of open connections.
    store.engine.dispose()
    for file in sorted(each for each in store.root.rglob("*") if each.is_file()):
        name = file.relative_to(store.root).as_posix()
        if token in name.encode() or any(token in part for part in _decoded(file)):
            found.append(name)
    with read_transaction(store.engine) as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(select(table)).all()
            found += [f"catalogue: {table.name}"] if patient in repr(rows) else []
    return found


def _decoded(file: Path) -> Iterator[bytes]:
    """Yield a file's bytes, and what it holds where it is of a kind that compresses."""
    content = file.read_bytes()
    yield content
    if file.suffix == ".parquet" or ".parquet" in file.name:
        yield repr(pq.read_table(BytesIO(content)).select(_texts(content)).to_pydict()).encode()
    elif content[8:12] == b"DUCK":
        with duckdb.connect(str(file), read_only=True) as client:
            for (table,) in client.execute("select table_name from duckdb_tables()").fetchall():
                yield repr(client.execute(f'from catalogue."{table}"').fetchall()).encode()
    elif zipfile.is_zipfile(BytesIO(content)):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def _texts(content: bytes) -> list[str]:
    schema = pq.read_schema(BytesIO(content))
    return [each.name for each in schema if str(each.type) in ("string", "large_string", "list<element: string>")]


def faults_after(store: Store) -> list[str]:
    """Return what is wrong with a store whose patient was erased while a verb ran."""
    found = [f"named in {place}" for place in naming_places(store)]
    verification = store_verification(store, folder_hash=folder_sha256)
    found += [f"verify: {each.where}: {each.what}" for check in verification.checks for each in check.findings]
    found += [f"note: {each.where}: {each.what}" for each in verification.notes if "erasure" in each.what]
    with read_transaction(store.engine) as connection:
        rows = connection.execute(select(metadata.tables["models"])).mappings().all()
    for row in rows:
        model = json.loads((store.files.local_folder(row["path"]) / "model.json").read_text())
        was_trained = model["metadata"]["cohorts"]["training"]["patients"] == TRAINING
        if was_trained is not ("erased" in (row["mark"] or "")):
            found.append(f"{row['model']}@{row['version']} is {row['mark'] or 'not marked'}, trained: {was_trained}")
    statuses = [json.loads(row["receipt"])["status"] for row in Snapshot(store).arrow("erasures").to_pylist()]
    return found + [f"{len(statuses)} receipts: {statuses}" for _ in [0] if statuses != ["finished"]]


def trial(stages: Stages, verb: str, moment_s: float, *, is_stopped: bool) -> Outcome:
    """Erase the patient at a moment of a verb and return what was found when it had ended."""
    root = stages.copy(VERBS[verb][0], "trial")
    log = stages.folder / "trial.log"
    running = stages.start(verb, root, log)
    time.sleep(moment_s)
    is_running = running.poll() is None
    if is_running and is_stopped:
        running.send(signal.SIGSTOP)
    store = Store(root, busy_timeout_s=5)
    faults = []
    # It may have been stopped with a lock in its hand.
    going_on = threading.Timer(8, running.send, [signal.SIGCONT])
    going_on.start()
    try:
        for _ in range(20):
            try:
                erase_patient(store, PATIENT)
            except StoreBusyError:
                continue
            break
        else:
            faults.append("the erasure found the store busy 20 times")
    finally:
        going_on.cancel()
        if is_running:
            running.send(signal.SIGCONT)
    code = running.wait()
    said = log.read_text(errors="replace")
    if "Traceback" in said or code not in (0, 5, 6):
        faults.append(f"exit code {code}: {said[-1500:]}")
    if PATIENT in said:
        faults.append(f"said: {said[-500:]}")
    faults += faults_after(store)
    store.engine.dispose()
    stages.put_away(root, faults)
    return Outcome(verb, moment_s, is_stopped, code, is_running, tuple(faults))


def undisturbed_s(stages: Stages, verb: str) -> float:
    """Return how long a verb takes when nobody disturbs it, once libraries and server are warm."""
    for _ in range(2):
        with stages.undisturbed(VERBS[verb][0], verb) as (_root, took):
            pass
    return took


def race(stages: Stages, verb: str, took: float, draw: random.Random, *, is_stopped: bool) -> Outcome:
    """Return the outcome of a trial at a drawn moment; where the verb had ended by then, of another one."""
    # An ingest that has not begun to read brings the patient back, as one that is started after the erasure does.
    first = 0.4 if verb == "ingest" else 0.0
    for _ in range(5):
        found = trial(stages, verb, draw.uniform(first, took), is_stopped=is_stopped)
        if found.erased_while_running or found.faults:
            break
    return found


def main() -> int:
    """Print a line for each race, then how many there were and how many were bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10, help="moments a verb")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--catalogue", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--verbs", default=",".join(each for each in VERBS if each != "erase"))
    asked = parser.parse_args()
    draw = random.Random(asked.seed)  # noqa: S311  (when to erase)
    bad: list[Outcome] = []
    counts: Counter[str] = Counter()
    with race_stages("radzoo-races-", on_postgresql=asked.catalogue == "postgresql") as stages:
        verbs = asked.verbs.split(",")
        took = {verb: undisturbed_s(stages, verb) for verb in verbs}
        print("; ".join(f"{verb} {seconds:.1f} s" for verb, seconds in took.items()), "undisturbed", flush=True)
        for number in range(asked.count):
            for verb in verbs:
                found = race(stages, verb, took[verb], draw, is_stopped=number % 2 == 0)
                counts[f"{verb} {'running' if found.erased_while_running else 'ended'} exit {found.exit_code}"] += 1
                bad += [found] if found.faults else []
                print(
                    f"{verb:>8} {found.moment_s:5.1f} s{' stopped' if found.is_stopped else '        '} "
                    f"exit {found.exit_code} {'running' if found.erased_while_running else 'had ended'} "
                    f"{'BAD ' + ' | '.join(found.faults) if found.faults else 'ok'}",
                    flush=True,
                )
    print(json.dumps(dict(sorted(counts.items())), indent=1))
    print(f"{asked.catalogue}: {sum(counts.values())} races, {len(bad)} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
