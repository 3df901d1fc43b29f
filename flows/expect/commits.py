"""Expectations within the commits of an ingest and of a refresh: looked at, carried out, and put on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.expect.check import Checked, checked_expectations, expectation_rows, refuse_broken
from flows.expect.found import ExpectationFound
from flows.expect.quarantine import STAGE, Quarantine, stored_quarantine, unquarantined_masks
from schemas.study.file import Study
from schemas.study.toml_lines import line_of
from store.commits.commit import Commit
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["expectation_place", "expectations_of_features", "look_at_features", "look_at_study"]

Row = dict[str, Any]

_OTHERWISE = 'correct these rows, or take policy = "quarantine" or "warn", '
_CORRECT_FILE = f"{_OTHERWISE}and run the command again; nothing was written"
_CORRECT_STUDY = f"{_OTHERWISE}then radzoo ingest and radzoo refresh; nothing was committed, what is computed is kept"


def expectation_place(text: str, study_file: Path, name: str) -> str:
    """Return where an expectation is written.

    Parameters
    ----------
    text : str
        The study file's text.
    study_file : Path
        Where it lies.
    name : str
        The expectation's.
    """
    return f"{study_file}:{line_of(text, ('expectations', name))}"


def look_at_study(
    commit: Commit,
    store: Store,
    study: Study,
    read: Mapping[str, Sequence[Row]],
    place: Callable[[str], str],
    *,
    only_plan: bool,
) -> Checked:
    """Look at all expectations of a study that is being ingested, put what they come to on record, and return it.

    What models read is not written yet: whoever calls this writes it without whom the expectations leave out.

    Parameters
    ----------
    commit : Commit
        The open commit, with everything else in it.
    store : Store
        The store, or with ``only_plan`` a copy of its catalogue, where no feature can be read.
    study : Study
        The study as it goes on record.
    read : mapping of str to sequence of mapping
        The study's rows of ``study_masks``, ``labels``, ``splits`` and ``split_members``, nobody left out.
    place : callable
        Where an expectation is written, by its name.
    only_plan : bool
        Nothing lands: an expectation that would refuse is only reported.

    Raises
    ------
    ContractError
        When an expectation is broken whose policy is to refuse, or cannot be answered and is no warning.
    """
    snapshot = Snapshot.within(store, commit.connection, commit.commit_id)
    checked = checked_expectations(snapshot, store, study, read, place, has_features=not only_plan)
    if not only_plan:
        refuse_broken(checked.found, place, _CORRECT_FILE)
    own = {"study": study.id}
    rows = {row["expectation"]: row for row in expectation_rows(study, checked.found)}
    if only_plan:
        # What a plan cannot tell is no change.
        waiting = {each.expectation for each in checked.found if each.status == "not_checked"}
        rows |= {
            row["expectation"]: row for row in snapshot.rows("expectations", **own) if row["expectation"] in waiting
        }
    commit.put("expectations", rows.values(), replacing=own)
    commit.put("failures", checked.quarantine.failures(), replacing=own | {"stage": STAGE})
    return checked


def look_at_features(commit: Commit, store: Store, study: Study) -> tuple[ExpectationFound, ...]:
    """Look at the expectations that read features, after a refresh, carry them out, and return what they come to.

    Masks that such an expectation left out before, and leaves out no longer, are read again.

    Parameters
    ----------
    commit : Commit
        The open commit, with the features in it.
    store : Store
        The store.
    study : Study
        The study.

    Raises
    ------
    ContractError
        As `look_at_study` does.
    """
    snapshot = Snapshot.within(store, commit.connection, commit.commit_id)
    # Prefect's threads are about: a copy of this process might inherit their locks.
    checked, masks = _of_features(snapshot, store, study, by_fork=False)
    if not checked.found:
        return ()
    refuse_broken(checked.found, lambda _: f"study '{study.id}'", _CORRECT_STUDY)
    own = {"study": study.id}
    commit.put("study_masks", checked.quarantine.study_masks(masks), replacing=own)
    commit.put("failures", checked.quarantine.failures(), replacing=own | {"stage": STAGE})
    commit.put("expectations", expectation_rows(study, checked.found))
    return checked.found


def expectations_of_features(store: Store, study: Study) -> tuple[ExpectationFound, ...]:
    """Return what the expectations that read features come to now, before a refresh; nothing is written.

    Raises
    ------
    ContractError
        When one that is no warning cannot be answered: the refresh would refuse.
    """
    return _of_features(Snapshot(store), store, study, by_fork=True)[0].found


def _of_features(snapshot: Snapshot, store: Store, study: Study, *, by_fork: bool) -> tuple[Checked, list[Row]]:
    """Return what expectations come to, and the study's masks as they are where no expectation leaves any out."""
    if all(rule.sql is None for rule in study.expectations.values()):
        return Checked((), Quarantine(study.id)), []
    masks = snapshot.rows("study_masks", study=study.id)
    masks = unquarantined_masks(masks, stored_quarantine(snapshot, study.id))
    checked = checked_expectations(
        snapshot,
        store,
        study,
        {"study_masks": masks},
        lambda _: f"study '{study.id}'",
        only_features=True,
        by_fork=by_fork,
    )
    return checked, masks
