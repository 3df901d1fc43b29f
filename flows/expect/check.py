"""Expectations are looked at in an open commit, over the state that it would leave, and their policies carried out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flows.expect.asked import MOST_ROWS, AskedProcess, Scope, asked_process
from flows.expect.found import ExpectationFound, broken_words, shown_rows
from flows.expect.names import nobody_fault, quarantines_nobody, reads_features
from flows.expect.quarantine import STAGE, Quarantine, stored_quarantine
from flows.expect.questions import question_of
from schemas.errors import ContractError, RadzooError
from schemas.expectations.rule import Expectation
from schemas.fault_list import FaultList
from schemas.keys import MaskKey, canonical_json
from schemas.study.file import Study
from store.analyst.analyst_views import view_names
from store.analyst.named import Named
from store.analyst.view_parts import fixed_view_names
from store.history.snapshot import Snapshot
from store.home import Store
from store.kinds.every import IMPORTED

__all__ = ["Checked", "checked_expectations", "expectation_rows", "refuse_broken"]

Row = dict[str, Any]

_NO_ROWS_YET = "no row of {} is computed yet; radzoo refresh looks at it"
_FIXED = frozenset(fixed_view_names())
_OF_FEATURES = "it reads features; radzoo refresh looks at it"


@dataclass(frozen=True)
class Checked:
    """What expectations came to, and whom they leave out."""

    found: tuple[ExpectationFound, ...]
    """In the order of the study file; those alone that were looked at."""
    quarantine: Quarantine


@dataclass(frozen=True)
class _Question:
    name: str
    rule: Expectation
    text: str
    named: Named
    of_features: bool


def checked_expectations(
    snapshot: Snapshot,
    store: Store,
    study: Study,
    given: Mapping[str, Sequence[Row]],
    place: Callable[[str], str],
    *,
    has_features: bool = True,
    only_features: bool = False,
    by_fork: bool = True,
) -> Checked:
    """Return what a study's expectations come to.

    Parameters
    ----------
    snapshot : Snapshot
        The state that is asked, such as an open commit's own.
    store : Store
        Its store.
    study : Study
        Whose expectations they are.
    given : mapping of str to sequence of mapping
        The study's own rows of tables as they are where nobody is left out: ``study_masks`` and others. What is left
        out by an expectation that is not looked at stays so.
    place : callable
        Where an expectation is written, by its name.
    has_features : bool
        The values of features can be read; in a copy of a catalogue they cannot.
    only_features : bool
        Look at those alone that read features: nothing else has changed.
    by_fork : bool
        As `flows.expect.asked.asked_process` takes it.

    Raises
    ------
    ContractError
        When an expectation that is no warning cannot be answered, or its rows do not say whom to quarantine.
    """
    if not study.expectations:
        return Checked((), Quarantine(study.id))
    rows = {table: _with_others(snapshot, table, study.id, own) for table, own in given.items()}
    rows["failures"] = [row for row in snapshot.rows("failures") if (row["stage"], row["study"]) != (STAGE, study.id)]
    masks = given["study_masks"]
    patients = snapshot.column("study_patients", "patient", study=study.id)
    its_masks = frozenset(map(MaskKey.of, masks))
    elsewhere = {MaskKey.of(row) for row in rows["study_masks"] if row["study"] != study.id}
    scope = Scope(study.id, frozenset(patients), its_masks, frozenset(elsewhere - its_masks))
    primary = {MaskKey.of(row) for row in masks if row["is_primary"]}
    found: list[ExpectationFound] = []
    left_out = Quarantine(study.id)
    looked_at: set[str] = set()
    views = view_names(snapshot)
    with asked_process(store, by_fork=by_fork) as process:
        for question in _questions(process, snapshot, study):
            if only_features and not question.of_features:
                continue
            waits = _waits(question, views, has_features=has_features)
            if waits:
                found.append(_not_checked(question, waits))
                continue
            result = _found(process, snapshot, question, scope, rows, left_out, primary, place(question.name))
            found.append(result)
            looked_at |= {result.expectation} if result.status != "not_checked" else set()
    others = {name for name, rule in study.expectations.items() if rule.policy == "quarantine"} - looked_at
    left_out.keep(stored_quarantine(snapshot, study.id), others, scope)
    return Checked(tuple(found), left_out)


def _with_others(snapshot: Snapshot, table: str, study: str, own: Sequence[Row]) -> list[Row]:
    """Return a table's rows of other studies as they are, and this study's as given."""
    rows = [row for row in snapshot.rows(table) if row["study"] != study]
    return [*rows, *({"added_commit": snapshot.commit_id} | row for row in own)]


def _questions(process: AskedProcess, snapshot: Snapshot, study: Study) -> list[_Question]:
    computed = [row["name"] for row in snapshot.rows("feature_sets") if row["kind"] != IMPORTED.name]
    found = []
    for name, rule in study.expectations.items():
        text = question_of(rule, study)
        named = process.names(text)
        found.append(_Question(name, rule, text, named, reads_features(named, study, computed)))
    return found


def _waits(question: _Question, views: Collection[str], *, has_features: bool) -> str:
    """Return why a question cannot be asked yet, empty where it can."""
    if not question.of_features:
        return ""
    if lacking := sorted(question.named.views - question.named.own - set(views)):
        return _NO_ROWS_YET.format(", ".join(lacking))
    reads_values = question.named.lists_columns or not question.named.views - question.named.own <= _FIXED
    return _OF_FEATURES if reads_values and not has_features else ""


def _not_checked(question: _Question, because: str) -> ExpectationFound:
    rule = question.rule
    return ExpectationFound(
        question.name, rule.policy, "not_checked", None, because, rule.description, question=question.text
    )


def _found(
    process: AskedProcess,
    snapshot: Snapshot,
    question: _Question,
    scope: Scope,
    given: Mapping[str, Sequence[Row]],
    left_out: Quarantine,
    primary: Collection[MaskKey],
    place: str,
) -> ExpectationFound:
    rule, name = question.rule, question.name
    unknown = _not_checked(question, "")
    try:
        answer = process.answer(snapshot, question.text, question.named, scope, given)
    except RadzooError as error:
        # Nothing depends on a warning; a gate that cannot tell stays shut.
        if rule.policy == "warn":
            return replace(unknown, detail=_nameless(error.message))
        refused = ContractError(
            f"expectation '{name}' cannot be answered, and its policy is to {rule.policy}: {_nameless(error.message)}",
            where=place,
            hint="correct its question, which radzoo sql can be asked as well; nothing was written",
        )
        refused.details = (error.message,)
        raise refused from error
    if quarantines_nobody(rule, answer.columns):
        raise nobody_fault(name, place)
    if not answer.rows:
        return replace(unknown, status="held", rows=0)
    detail = f"more than {MOST_ROWS} rows" if answer.is_cut else ""
    if rule.policy == "quarantine":
        if answer.is_cut:
            raise ContractError(
                f"expectation '{name}' is broken by more than {MOST_ROWS} rows: that is no quarantine",
                where=place,
                hint="correct the rule or the data; nothing was written",
            )
        if left_out.names_no_mask(answer, scope.masks, of_features=question.of_features):
            raise ContractError(
                f"expectation '{name}' is broken by rows that name no patient or mask of the study: nobody would be "
                "left out",
                where=place,
                hint="let its question answer with patient, and with the mask's own exam, phase, lesion, reader and "
                "reading; nothing was written",
            )
        detail = left_out.add(name, rule, answer, primary, of_features=question.of_features)
    return replace(unknown, status="broken", rows=answer.rows, detail=detail, shown=answer.shown)


def _nameless(message: str) -> str:
    """Return why SQL has no answer without what DuckDB quotes of the rows: it is stored, and names no patient."""
    # What is said of names in the SQL has no value of a row in it.
    is_of_names = message.startswith(("the question ", "Binder Error", "Catalog Error", "Parser Error"))
    return message if is_of_names else f"{message.partition(':')[0]} in its SQL"


def refuse_broken(found: Sequence[ExpectationFound], place: Callable[[str], str], hint: str) -> None:
    """Refuse a commit that breaks an expectation whose policy is to refuse.

    Parameters
    ----------
    found : sequence of ExpectationFound
        All that were looked at.
    place : callable
        Where an expectation is written, by its name.
    hint : str
        What to do next.

    Raises
    ------
    ContractError
        With every such expectation, its number of rows and the first ones.
    """
    faults = FaultList()
    for each in found:
        if each.is_refused:
            words = f": {each.description}" if each.description else ""
            faults.add(ContractError(f"{broken_words(each)}{words}", where=place(each.expectation), hint=hint))
    try:
        faults.raise_any("expectations")
    except ContractError as error:
        refused = [each for each in found if each.is_refused]
        # Of several, whose rows they are; a run's record and a webhook get none of them.
        error.details = tuple(
            line if len(refused) == 1 else f"{each.expectation}: {line.strip()}"
            for each in refused
            for line in shown_rows(each)
        )
        raise


def expectation_rows(study: Study, found: Sequence[ExpectationFound]) -> list[Row]:
    """Return the rows of ``expectations`` of those that were looked at; no patient is in them."""
    return [
        {
            "study": study.id,
            "expectation": each.expectation,
            "policy": each.policy,
            "status": each.status,
            "rows": each.rows,
            "detail": each.detail,
            "definition": canonical_json(
                {
                    "kind": study.expectations[each.expectation].kind,
                    "question": each.question,
                    "rule": study.expectations[each.expectation].model_dump(mode="json", exclude_none=True),
                }
            ),
        }
        for each in found
    ]
