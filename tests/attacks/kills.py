"""Verbs are killed at random moments, or started two at once; afterwards the store is as if nobody had disturbed them.

    python -m tests.attacks.kills [--count 60] [--pairs 30] [--seed 1] [--verbs train,bench]

Right after a kill `store verify` must find no broken promise, but that the published file is not the newest. Then the
same command is run again: verify must be clean, nothing half-written may be left, and the catalogue's content and the
features' values must be those of an undisturbed run. Of two commands at once each is run again, too, one by one.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from attacks.made.race_study import VERBS, Stages, race_stages
from store.analyst.query import answer
from store.catalogue.tables import VERSIONED
from store.history.snapshot import Snapshot
from store.home import Store
from store.verification.verify import store_verification
from zoo.saving.persist import folder_sha256

__all__ = ["content", "findings", "killed", "pair_of"]

PAIRS = (
    ("refresh", "refresh"),
    ("train", "train"),
    ("bench", "train"),
    ("bench", "bench"),
    ("embed", "train"),
    ("compact", "publish"),
    ("compact", "report"),
    ("compact", "compact"),
    ("publish", "publish"),
    ("publish", "report"),
    ("ingest", "ingest"),
    ("ingest", "compact"),
    ("erase", "publish"),
    ("erase", "erase"),
    ("erase", "report"),
)
"""Verbs that do the same in either order."""

_OF_A_RUN = {"added_commit", "recorded_at", "trained_at", "opened_at", "run_id", "commit_id", "segment_id"}
"""Columns that tell when, by which run, and where rows lie."""

_BY_CONTENT = {"models": {"path", "sha256"}}
"""A model's folder says as of which commit its dataset was read."""


def content(store: Store) -> dict[str, str]:
    """Return a hash of what the newest snapshot says, by table, and of the features' values."""
    snapshot, found = Snapshot(store), {}
    for table in sorted(VERSIONED.keys() - {"segments"}):
        left_out = _OF_A_RUN | _BY_CONTENT.get(table, set())
        rows = snapshot.rows(table)
        told = sorted(repr(sorted((k, v) for k, v in row.items() if k not in left_out)) for row in rows)
        found[table] = hashlib.sha256("\n".join(told).encode()).hexdigest()
    for view in ("radiomics_long", "embeddings", "region_arrays"):
        rows = answer(snapshot, f"select * from {view} order by all").to_pylist()
        found[view] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def findings(store: Store) -> list[str]:
    """Return the promises that verify finds broken."""
    checks = store_verification(store, folder_hash=folder_sha256).checks
    return [f"{each.where}: {each.what} {each.rows[:3]}" for check in checks for each in check.findings]


def after(stages: Stages, stage: str, *verbs: str) -> tuple[dict[str, str], float]:
    """Return the content of a stage after verbs that nobody disturbs, and how long the last one took."""
    with stages.undisturbed(stage, *verbs) as (root, took):
        store = Store(root)
        found = content(store)
        store.engine.dispose()
    return found, took


def killed(stages: Stages, verb: str, moment_s: float, expected: dict[str, str]) -> tuple[bool, list[str]]:
    """Kill a verb at a moment, run it again, and return whether it was running, and what is wrong."""
    root, log = stages.copy(VERBS[verb][0], "trial"), stages.folder / "trial.log"
    running = stages.start(verb, root, log)
    time.sleep(moment_s)
    was_running = running.poll() is None
    running.send(signal.SIGKILL)
    running.wait()
    store = Store(root)
    faults = [f"after the kill: {each}" for each in findings(store) if "analyst.duckdb" not in each]
    store.engine.dispose()
    faults += _again(stages, root, log, verb)
    return was_running, faults + _ended(stages, root, expected)


def pair_of(stages: Stages, pair: tuple[str, str], delay_s: float, expected: dict[str, str]) -> list[str]:
    """Start two verbs on one store, the second a little later, and return what is wrong in the end."""
    root = stages.copy(VERBS[pair[0]][0] if pair[1] != "compact" else "scattered", "trial")
    logs = [stages.folder / f"trial-{number}.log" for number in range(2)]
    first = stages.start(pair[0], root, logs[0])
    time.sleep(delay_s)
    second = stages.start(pair[1], root, logs[1])
    faults = []
    for verb, running, log in zip(pair, (first, second), logs, strict=True):
        code, said = running.wait(), log.read_text(errors="replace")
        if code not in (0, 5, 6) or "Traceback" in said:
            faults.append(f"{verb}: exit code {code}: {said[-800:]}")
    for verb in pair:
        faults += _again(stages, root, logs[0], verb)
    return faults + _ended(stages, root, expected)


def _again(stages: Stages, root: Path, log: Path, verb: str) -> list[str]:
    code = stages.start(verb, root, log).wait()
    said = log.read_text(errors="replace")
    return [] if code in (0, 5) and "Traceback" not in said else [f"{verb} again: exit code {code}: {said[-800:]}"]


def _ended(stages: Stages, root: Path, expected: dict[str, str]) -> list[str]:
    store = Store(root)
    faults = findings(store)
    found = content(store)
    faults += [f"{name} differs" for name in expected if found[name] != expected[name]]
    left = [each.relative_to(root).as_posix() for each in root.rglob("*.partial*") if "segments" not in each.parts]
    faults += [f"half-written: {each}" for each in left if not each.startswith(("datasets", "models"))]
    store.engine.dispose()
    stages.put_away(root, faults)
    return faults


def main() -> int:
    """Print a line for each trial, then how many there were and how many were bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="kills")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbs", default=",".join(VERBS))
    asked = parser.parse_args()
    draw = random.Random(asked.seed)  # noqa: S311  (when to kill)
    counts: Counter[str] = Counter()
    with race_stages("radzoo-kills-") as stages:
        verbs = asked.verbs.split(",")
        known = {}
        for verb in verbs if asked.count else ():
            after(stages, VERBS[verb][0], verb)  # the first run warms libraries and server, and takes longer
            known[verb] = after(stages, VERBS[verb][0], verb)
        kills = 0
        while kills < asked.count:
            verb = verbs[kills % len(verbs)]
            expected, took = known[verb]
            moment = draw.uniform(0, took)
            was_running, faults = killed(stages, verb, moment, expected)
            # One that had ended before its moment came is no kill, but for that the next one is tried.
            kills += was_running or bool(faults)
            counts[f"kills {'bad' if faults else 'good' if was_running else 'too late'}"] += 1
            print(f"kill {verb:>8} {moment:5.1f} s {'BAD ' + ' | '.join(faults) if faults else 'ok'}", flush=True)
        pairs = [pair for pair in PAIRS if set(pair) <= set(verbs)]
        known_pairs = {}
        for number in range(asked.pairs):
            pair = pairs[number % len(pairs)]
            if pair not in known_pairs:
                stage = VERBS[pair[0]][0] if pair[1] != "compact" else "scattered"
                known_pairs[pair] = after(stages, stage, *pair)
            expected, took = known_pairs[pair]
            faults = pair_of(stages, pair, draw.uniform(0, min(took, 2.0)), expected)
            counts[f"pairs {'bad' if faults else 'good'}"] += 1
            print(f"pair {' + '.join(pair):>18} {'BAD ' + ' | '.join(faults) if faults else 'ok'}", flush=True)
    print(dict(sorted(counts.items())))
    return 1 if any("bad" in name for name in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
