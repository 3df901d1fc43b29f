"""What was found of an expectation, and in which words it is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from schemas.expectations.rule import Policy
from schemas.foreign_text import one_line

__all__ = ["ExpectationFound", "Status", "broken_words", "found_lines", "shown_rows"]

_LONG = ("sha256", "source")
"""Columns of a row that are too long for a line, and say nothing in one."""

Status = Literal["held", "broken", "not_checked"]


@dataclass(frozen=True)
class ExpectationFound:
    """What an expectation came to."""

    expectation: str
    policy: Policy
    status: Status
    rows: int | None
    """Rows that break it; None where it was not checked."""
    detail: str
    """Whom it leaves out, in counts, or why it was not checked: no patient is named."""
    description: str
    shown: tuple[Mapping[str, str], ...] = ()
    """The first rows that break it: for the answer of a verb alone, they are not stored."""
    question: str = ""
    """What was asked, as SQL."""

    @property
    def is_refused(self) -> bool:
        """Return whether nothing may land: it is broken, or nobody can tell, and the policy is to refuse."""
        return self.policy == "refuse" and self.status == "broken"


def shown_rows(found: ExpectationFound) -> Iterator[str]:
    """Yield the first rows that break an expectation, a line each."""
    for row in found.shown:
        told = [f"{name} {value}" for name, value in row.items() if value and not name.endswith(_LONG)]
        yield f"  {one_line(', '.join(told))}"
    if found.shown and found.rows is not None and found.rows > len(found.shown):
        yield f"  and {found.rows - len(found.shown)} more"


def found_lines(every: Iterable[ExpectationFound], study: str, *, would: bool = False) -> list[str]:
    """Return what is to be said of a study's expectations, as lines of a verb's answer.

    Parameters
    ----------
    every : iterable of ExpectationFound
        All that were looked at.
    study : str
        The study's id.
    would : bool
        Nothing lands anyway: say what would be.
    """
    found = list(every)
    if not found:
        return []
    held = sum(each.status == "held" for each in found)
    lines = [f"expectations: {held} of {len(found)} hold"]
    refused = "would be refused" if would else "refused"
    marks: dict[Policy, str] = {"refuse": refused, "quarantine": "quarantine", "warn": "warning"}
    for each in found:
        if each.status == "broken":
            detail = f", {each.detail}" if each.detail else ""
            words = f": {one_line(each.description)}" if each.description else ""
            lines.append(f"{marks[each.policy]}: {broken_words(each)}{detail}{words}")
            lines += shown_rows(each)
        elif each.status == "not_checked":
            lines.append(f"note: expectation '{each.expectation}' was not checked: {one_line(each.detail)}")
    if not would and any(each.status == "broken" and each.policy == "quarantine" for each in found):
        question = f"from failures where study = '{study}' and stage = 'expectation'"
        lines.append(f'next: radzoo sql "{question}" names who is left out')
    return lines


def broken_words(found: ExpectationFound) -> str:
    """Return that an expectation is broken, and by how many rows."""
    return f"expectation '{found.expectation}' is broken by {found.rows} row{'' if found.rows == 1 else 's'}"
