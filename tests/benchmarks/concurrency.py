"""Commits per second of four writers at once, and the slowest read of two readers beside them.

PYTHONPATH=tests python tests/benchmarks/concurrency.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from rivals import race
from servers import postgresql_binaries, running_postgresql

from store.address import StoreAddress, write_address
from store.home import Store

WRITERS, COMMITS, READERS = 4, 20, 2


def measured(name: str, catalogue: str | None, readers: int) -> None:
    """Print one line for a catalogue, with readers and publishing or with neither."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        write_address(root, StoreAddress(catalogue, None))
        Store(root, create=True).engine.dispose()
        found = race(root, writers=WRITERS, commits=COMMITS, readers=readers, publishing=readers > 0)
    landed = sum(len(each) for each in found.commits)
    line = f"{name:11} {landed} of {WRITERS * COMMITS} commits, {landed / found.seconds:5.1f} a second"
    if readers:
        reads = {way: sum(each["reads"][way] for each in found.readers) for way in found.readers[0]["reads"]}
        slowest = {way: max(each["slowest"][way] for each in found.readers) for way in reads}
        faults = sum(len(each["faults"]) for each in found.readers)
        line += f"; {faults} faults in " + ", ".join(
            f"{reads[way]} reads by {way} (slowest {slowest[way]:.2f} s)" for way in reads
        )
    print(line, flush=True)


def main() -> None:
    """Print the figures of SQLite, then of a PostgreSQL of the benchmark's own where one is installed."""
    for readers in (0, READERS):
        measured("SQLite", None, readers)
        if binaries := postgresql_binaries():
            with running_postgresql(binaries, durable=True) as url:
                measured("PostgreSQL", url, readers)


if __name__ == "__main__":
    main()
