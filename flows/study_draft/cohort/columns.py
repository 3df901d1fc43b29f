"""What the columns of a cohort table may be to a study: variables, dates, outcomes, splits, or nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from flows.study.two_sides import TwoSides
from flows.tables.text_table import TextTable
from schemas.errors import ContractError
from schemas.shown_text import control_character
from schemas.study.bookkeeping import bookkeeping_reason
from schemas.written.dates import written_day

__all__ = ["CohortColumns", "OutcomeColumn", "cohort_columns", "is_outcome_name"]

_MOST_LEVELS: Final = 8
_LONGEST: Final = 200
_NOT_GIVEN = frozenset(("na", "n/a", "nan", "null", "?", "-", ".", "#n/a"))
"""None and unknown are not among them: they may be categories."""
_OUTCOME = re.compile(
    r"outcomes?|labels?|targets?|class|recurrences?|relapse[ds]?|metasta\w*|progress\w*|events?|status|surviv\w*|os|dfs|pfs"
    r"|rfs|responses?|responders?|deaths?|dead|deceased|died|alive|vital|mortality|malignan\w*|mvi|pcr|invasion"
)
_POSITIVE = ("1", "yes", "y", "true", "positive", "pos", "event", "dead", "died", "deceased", "responder", "malignant")
_NEGATIVE = ("0", "no", "n", "false", "negative", "neg", "none", "alive", "non-responder", "nonresponder", "benign")
_TRAITS = frozenset(
    ("sex", "gender", "male", "female", "geschlecht", "side", "smoker", "smoking", "scanner", "site", "center")
)
"""Words for what patients are, and not what becomes of them."""
_TIME = re.compile(r"time|days|months|years|duration|follow|fu|os|pfs|dfs|rfs|ttp")
_NO_TIME = frozenset(("age", "alter", "pack"))
"""Words for years that have passed before the images were made."""
_TRAINING = ("training", "train", "development", "discovery")
_VALIDATION = ("validation", "valid", "val", "test", "testing", "external")


@dataclass(frozen=True)
class OutcomeColumn:
    """A column of two values that may be the outcome."""

    name: str
    positive: str
    negative: str
    is_known: bool
    """Whether the values say which of them is the event."""
    rank: int
    """How much its name speaks for it: 0 for an outcome's words, 1 for none."""
    counts: tuple[int, int]
    """Rows with the positive and with the negative value."""


@dataclass
class CohortColumns:
    """A table's columns by what they may be; those with personal data are in none of the lists but ``personal``."""

    numbers: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    """Numbers whose names speak of time: perhaps that of an event."""
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    dates: list[str] = field(default_factory=list)
    outcomes: list[OutcomeColumn] = field(default_factory=list)
    """The likeliest first."""
    splits: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The values of training and validation, by column."""
    personal: list[str] = field(default_factory=list)
    """Names, addresses, identifiers: left out."""
    others: list[str] = field(default_factory=list)
    """Text, empty columns, columns of one value, and those in which a patient's rows differ."""
    missing: tuple[str, ...] = ()
    """Cells that seem to mean 'not given'."""
    having: dict[str, frozenset[str]] = field(default_factory=dict)
    """The patients of whom a column of yes and no says yes, by column; but for outcomes, by their names."""
    of_readings: list[str] = field(default_factory=list)
    """Columns that say whose masks were drawn again, which is no trait of theirs."""

    def saying(self, patients: Collection[str], among: Collection[str]) -> tuple[str, ...]:
        """Return the columns that say yes of some patients, and of no other one among whom they are."""
        return tuple(name for name, yes in self.having.items() if yes & {*among} == {*patients})

    def take_as_readings(self, name: str) -> None:
        """Let a column say who has a reading, and be neither variable nor outcome."""
        if name not in self.of_readings:
            self.of_readings.append(name)
            self.categories.pop(name, None)
            self.outcomes = [each for each in self.outcomes if each.name != name]


def cohort_columns(table: TextTable, patient: str) -> CohortColumns:
    """Return what the columns of a table may be.

    Parameters
    ----------
    table : TextTable
        The table.
    patient : str
        The column with the pseudonym.
    """
    found = CohortColumns()
    values: dict[str, list[str]] = {name: [] for name in table.frame.columns}
    missing: dict[str, None] = {}
    first: dict[str, dict[str, str]] = {}
    differing: set[str] = set()
    for _, row in table.rows():
        known = first.setdefault(row[patient], row)
        differing |= {name for name, cell in row.items() if cell != known[name]}
        for name, cell in row.items():
            if cell.lower() in _NOT_GIVEN and name != patient:
                missing[cell] = None
            elif cell:
                values[name].append(cell)
    found.missing = tuple(missing)
    found.having = {
        name: frozenset(yes)
        for name, cells in values.items()
        if name != patient
        and len({*cells}) <= _MOST_LEVELS
        and not is_outcome_name(name)
        and (yes := _saying_yes(table.narrowed([patient, name]), name, patient))
    }
    for name, cells in values.items():
        if name in differing:
            found.others.append(name)
        elif name != patient:
            _sort_in(found, table, name, cells)
    found.outcomes.sort(key=lambda each: (each.rank, not each.is_known))
    if found.outcomes and found.outcomes[0].rank == 0:
        # What has no outcome's name is a category beside one that has.
        for each in [each for each in found.outcomes if each.rank]:
            found.outcomes.remove(each)
            found.categories[each.name] = (each.negative, each.positive)
    return found


def _saying_yes(table: TextTable, name: str, patient: str) -> set[str]:
    """Return the patients of whom a column says yes; none where it has words for something else."""
    column = TwoSides(table, name, "[[readings]]")
    try:
        return {row[patient] for line, row in table.rows() if column.is_positive(line, row)}
    except ContractError:
        return set()


def is_outcome_name(column: str) -> bool:
    """Return whether a column's name speaks of what becomes of patients."""
    return any(_OUTCOME.fullmatch(word) for word in _words(column))


def _words(column: str) -> list[str]:
    return [each.lower() for each in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", column)]


def _sort_in(found: CohortColumns, table: TextTable, name: str, cells: list[str]) -> None:
    distinct = tuple(sorted({*cells}))
    words = _words(name)
    is_outcome = is_outcome_name(name)
    if (
        len(distinct) < 2
        or _is_unwritable(name)
        or (len(distinct) <= _MOST_LEVELS and any(map(_is_unwritable, distinct)))
    ):
        found.others.append(name)
    elif (split := _split_values(distinct)) is not None:
        found.splits[name] = split
    elif bookkeeping_reason(name) is not None and not is_outcome and not _are_dates(cells):
        found.personal.append(name)
    elif _are_dates(cells):
        found.dates.append(name)
    elif len(distinct) == 2 and any(word in _TRAITS for word in words):
        found.categories[name] = distinct
    elif len(distinct) == 2:
        found.outcomes.append(_outcome(name, Counter(cells), rank=int(not is_outcome)))
    elif _are_numbers(table, name, cells):
        is_time = any(map(_TIME.fullmatch, words)) and _NO_TIME.isdisjoint(words)
        (found.times if is_time else found.numbers).append(name)
    elif len(distinct) <= _MOST_LEVELS and len(distinct) * 2 <= len(cells):
        found.categories[name] = distinct
    else:
        found.others.append(name)


def _is_unwritable(text: str) -> bool:
    """Return whether a study file refuses a text."""
    return len(text) > _LONGEST or control_character(text, "\n\t") is not None


def _outcome(name: str, counts: Counter[str], *, rank: int) -> OutcomeColumn:
    one, other = sorted(counts)
    pairs = ((one, other), (other, one))
    known = [(p, n) for p, n in pairs if _plain(p) in _POSITIVE and _plain(n) in _NEGATIVE]
    positive, negative = known[0] if known else (other, one)
    return OutcomeColumn(
        name, positive, negative, is_known=bool(known), rank=rank, counts=(counts[positive], counts[negative])
    )


def _plain(cell: str) -> str:
    return cell.lower().removesuffix(".0")


def _split_values(distinct: tuple[str, ...]) -> tuple[str, str] | None:
    if len(distinct) == 2:
        for one, other in (distinct, distinct[::-1]):
            if one.lower() in _TRAINING and other.lower() in _VALIDATION:
                return one, other
    return None


def _are_dates(cells: list[str]) -> bool:
    try:
        days = [written_day(cell) for cell in cells]
    except ValueError:
        return False
    return all("1900" < day < "2200" for day in days)


def _are_numbers(table: TextTable, name: str, cells: list[str]) -> bool:
    try:
        for cell in cells:
            table.number(2, name, cell)
    except ContractError:
        return False
    return True
