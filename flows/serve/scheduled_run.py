"""One run of a schedule: its work, the one line that it writes, and the log that has the rest."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TextIO
from zoneinfo import ZoneInfo

from flows.faults import fault_of, is_interruption, without_line_breaks
from flows.refresh.failure_counts import known_failures
from schemas.errors import NotFoundError, RadzooError
from schemas.foreign_text import one_line, printable
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["Ending", "RunOutcome", "WorkDone", "dated", "log_file", "run_on_schedule", "write_line"]

_LOG_BYTES = 1_000_000

Ending = Literal["complete", "drift", "unmet expectations", "known failures", "new failures", "broken"]
Tables = Mapping[str, list[dict[str, Any]]]
"""Rows of counts and sentences, by what they are of."""


@dataclass(frozen=True)
class WorkDone:
    """What the verbs of a run did."""

    study: str
    feature_sets: tuple[str, ...] | None
    """Those whose rows that failed the run answers for; None where the run answers for no failures."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Rows added and changed; extractions computed, reused and unchanged; models; findings of drift; what is unmet."""
    commit_id: int | None = None
    """The newest commit that the run made; None where nothing changed."""
    tables: Tables = field(default_factory=dict)
    """What the work itself has to show, besides what the store answers."""
    found: str = ""
    """What drifts, does not hold or was written, in words."""
    stages: tuple[str, ...] = ()
    """Of the failures that the run answers for besides those of its feature sets."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    A run is broken where it could not do its work. Rows that fail are data: with them the run is complete, and
    says how many failed before and how many are new.
    """

    verb: str
    """What was run."""
    study: str
    """The study's id as the run found it, or as it was when the schedule was made."""
    ending: Ending
    message: str
    """The cause, or the counts, in one line."""
    counts: dict[str, int]
    """What was done, ``failed`` in all and ``new_failures`` among them; empty where the run is broken."""
    line: str
    """The line that was written, with its date."""
    tables: Tables = field(default_factory=dict)


def run_on_schedule(verb: str, study: str, store: Path, zone: ZoneInfo, work: Callable[[], WorkDone]) -> RunOutcome:
    """Do the work of a run, write its one line to stderr, and return how it ended; no fault of the work is raised.

    What the work itself writes, and the traceback of a fault, goes to the log of the study's runs (`log_file`).

    Parameters
    ----------
    verb : str
        What is run, such as ``refresh``.
    study : str
        The study's id as it was when the schedule was made.
    store : Path
        The store's folder.
    zone : ZoneInfo
        In which the line is dated.
    work : callable
        Does the work.
    """
    started = time.monotonic()
    log = log_file(store, verb, study)
    fault: RadzooError | None = None
    done: WorkDone | None = None
    ending: Ending
    before = after = frozenset[tuple[str, ...]]()
    try:
        with _written_to(log, f"{dated(zone)} {verb} {study}: start"):
            try:
                earlier = _snapshot(store)
                done = work()
                before = _failures(earlier, done)
                after = _failures(_snapshot(store), done)
            except Exception as error:
                if is_interruption(error):
                    raise KeyboardInterrupt from error
                print(printable(traceback.format_exc()), file=sys.stderr)
                fault = fault_of(error)
    except BaseException:
        write_line(f"{dated(zone)} {verb} {study}: interrupted; what was finished is kept", log)
        raise
    seconds = time.monotonic() - started
    if fault is not None or done is None:
        of_study, ending, counts = study, "broken", dict[str, int]()
        message = _fault_text(fault or RadzooError("the run gave nothing back"))
    else:
        counts = {**done.counts, "failed": len(after), "new_failures": len(after - before)}
        of_study, ending, message = done.study, _ending(counts), _counts_text(counts, done)
    told = f"broken: {message}" if ending == "broken" else message
    line = f"{dated(zone)} {verb} {of_study}: {told}; {seconds:.0f} s"
    outcome = RunOutcome(verb, of_study, ending, message, counts, line, {} if done is None else done.tables)
    write_line(outcome.line, log)
    return outcome


def _ending(counts: Mapping[str, int]) -> Ending:
    if counts.get("quarantined"):
        return "new failures"
    if not counts["failed"]:
        if counts.get("unmet"):
            return "unmet expectations"
        return "drift" if counts.get("findings") else "complete"
    return "new failures" if counts["new_failures"] else "known failures"


def dated(zone: ZoneInfo) -> str:
    """Return the time now in a zone, with the zone's name."""
    return f"{datetime.now(zone):%Y-%m-%d %H:%M:%S %Z}"


def log_file(store: Path, verb: str, study: str) -> Path:
    """Return where the log of a study's runs lies: ``logs`` in the store's folder."""
    return store / "logs" / f"{study}-{verb}.log"


def _snapshot(store: Path) -> Snapshot | None:
    try:
        return Snapshot(Store(store))
    except NotFoundError:
        return None


def _failures(snapshot: Snapshot | None, done: WorkDone) -> frozenset[tuple[str, ...]]:
    if snapshot is None or done.feature_sets is None:
        return frozenset()
    return known_failures(snapshot, done.study, done.feature_sets, done.stages)


def _counts_text(counts: Mapping[str, int], done: WorkDone) -> str:
    named = (
        "taken",
        "quarantined",
        "findings",
        "tests",
        "unanswered",
        "held",
        "unmet",
        "models",
        "trained",
        "added",
        "changed",
    )
    parts = [f"{name} {counts[name]}" for name in (*named, "merged", "removed", "computed", "reused") if name in counts]
    if done.feature_sets is not None:
        parts.append(f"failed {counts['failed']}{_known_text(counts['failed'], counts['new_failures'])}")
    if "unchanged" in counts:
        parts.append(f"unchanged {counts['unchanged']}")
    commit = "no commit" if done.commit_id is None else f"commit {done.commit_id}"
    return without_line_breaks("; ".join(part for part in (", ".join(parts), done.found, commit) if part))


def _known_text(failed: int, new: int) -> str:
    if not failed:
        return ""
    if not new:
        return " (known)"
    return " (new)" if new == failed else f" ({failed - new} known, {new} new)"


def _fault_text(fault: RadzooError) -> str:
    where = f"{fault.where}: " if fault.where else ""
    hint = f"; next: {fault.hint}" if fault.hint else ""
    return without_line_breaks(f"{where}{fault.message}{hint}")


def write_line(line: str, log: Path) -> None:
    """Write a line to stderr and to a log; where one of them cannot be written, to the other."""
    line = one_line(line)
    for write in (_to_stderr, lambda text: _append(log, text)):
        # A full disk or a closed terminal must not end the schedule.
        try:
            write(line)
        except OSError:
            continue


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _append(log: Path, line: str) -> None:
    with log.open("a", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(f"{line}\n")


@contextmanager
def _written_to(log: Path, first_line: str) -> Iterator[None]:
    """Have everything that is written to stderr, by this process and those it starts, go to a file for the while."""
    target = _opened(log)
    with target:
        print(first_line, file=target, flush=True)
        shown, kept = sys.stderr, os.dup(2)
        if shown is not None:
            shown.flush()
        os.dup2(target.fileno(), 2)
        sys.stderr = target
        try:
            yield
        finally:
            target.flush()
            sys.stderr = shown
            os.dup2(kept, 2)
            os.close(kept)


def _opened(log: Path) -> TextIO:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        return log.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
    except OSError:
        # The store's disk is full or may only be read: the run's line will say so.
        return Path(os.devnull).open("w", encoding="utf-8")
