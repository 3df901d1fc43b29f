"""Prefect's log lines on stderr: one line each, for a verb says itself what failed; its API keeps the tracebacks."""

from __future__ import annotations

import logging

from schemas.foreign_text import printable

__all__ = ["BriefFormatter", "LeftToTheVerb"]

_OF_RUNS = ("prefect.flow_runs", "prefect.task_runs")
_OF_ENGINE = "Engine execution"


class BriefFormatter(logging.Formatter):
    """Format a record as one line: time, message, and of an exception what it says.

    Parameters are those of `logging.Formatter`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        line = f"{self.formatTime(record, self.datefmt)} {record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and (error := record.exc_info[1]) is not None:
            line += f" ({type(error).__name__}: {error})"
        return printable(" ".join(line.split()))


class LeftToTheVerb(logging.Filter):
    """Let through what no verb says itself: not what the code of a run raised, which the verb that ran it reports."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is shown."""
        if record.name not in _OF_RUNS:
            return True
        error = record.exc_info[1] if record.exc_info else None
        # A scheduled run that is broken has written its line.
        return record.getMessage().startswith(_OF_ENGINE) and type(error).__name__ != "FailedRun"
