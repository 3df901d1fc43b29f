"""Processor time of `radzoo sql` for short questions, all processes of a question together.

    python tests/benchmarks/short_questions.py [--store DIR | --rows N] [--former CHECKOUT] [--repeats N]

On a store that is there, or on one of so many random rows of 1037 features; beside another checkout of this project
where one is named, both in turn.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from large_store import filled_store

QUESTIONS = (
    "select 1",
    "show tables",
    "select count(*) from masks",
    "select count(*) from leaderboard",
    "select phase, avg(original_firstorder_Mean) from hcc_cemri group by all",
)
HERE = Path(__file__).resolve().parents[2]
START = "from flows.cli.main import main; main()"


def processor_seconds(checkout: Path, store: Path, question: str) -> float:
    """Return what a question takes of the processor, of user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", START, "--store", str(store), "sql", question],
        env=os.environ | {"PYTHONPATH": str(checkout)},
        cwd=store,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(store: Path, checkouts: list[Path], repeats: int) -> None:
    """Print the medians, the checkouts taking turns, after one round that does not count."""
    for question in QUESTIONS:
        taken = [[processor_seconds(each, store, question) for each in checkouts] for _ in range(repeats + 1)]
        medians = [statistics.median(of_one) for of_one in zip(*taken[1:], strict=True)]
        ratio = f" {medians[-1] / medians[0]:.2f} |" if len(medians) > 1 else ""
        print(f"| `{question}` | {' | '.join(f'{each:.2f}' for each in medians)} |{ratio}", flush=True)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, help="a store that is there")
    parser.add_argument("--rows", type=int, default=100_000, help="of a store that is made for this")
    parser.add_argument("--former", type=Path, help="another checkout of this project")
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    checkouts = [*([asked.former.resolve()] if asked.former else []), HERE]
    if asked.store is not None:
        report(asked.store.resolve(), checkouts, asked.repeats)
        return
    with tempfile.TemporaryDirectory() as folder:
        store = filled_store(Path(folder) / "store", [("all", 0, asked.rows)])
        store.engine.dispose()
        report(store.root, checkouts, asked.repeats)


if __name__ == "__main__":
    main()
