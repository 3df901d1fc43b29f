"""Stability: how well repeated readings of the same tumours agree, feature by feature."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ContractError
from schemas.study.file import Study
from schemas.study.models import IccBound
from store.history.changes import changed_since
from store.history.snapshot import Snapshot
from store.kinds.every import wide_kind
from store.reading.readings import reading_values
from zoo.evaluation.agreement import IccEstimate, icc_agreement
from zoo.tables.feature_columns import stored_feature_set
from zoo.tables.stable_columns import stable_columns

__all__ = [
    "FEWEST_PATIENTS",
    "FewReadings",
    "RepeatedReadings",
    "few_readings",
    "refuse_few_readings",
    "repeated_readings",
    "stability_is_current",
    "stability_rows",
]

FEWEST_PATIENTS = 5
"""With fewer repeated readings an ICC says nothing, and none is given."""

_HINT = (
    "add readings of training patients, name the model's phases, take a kind out of [[readings]] of the study file, "
    "bench with more --folds, or leave minimum_icc out"
)

Reading = tuple[str, int]


@dataclass(frozen=True)
class Ratings:
    """One phase's features in the readings that are compared."""

    phase: str
    kind: str
    """``intra`` or ``inter``."""
    patients: tuple[str, ...]
    values: NDArray[np.float64]
    """Of shape (n_patients, n_readings, n_features); NaN where a reading has no value."""


@dataclass(frozen=True)
class RepeatedReadings:
    """A feature set's repeated readings in a study, read once; agreement is computed for the patients asked for."""

    feature_set: str
    """``name@version``."""
    features: tuple[str, ...]
    ratings: tuple[Ratings, ...]

    def agreement(self, patients: Collection[str]) -> Iterator[tuple[Ratings, int, IccEstimate]]:
        """Yield the ICC(A,1) of every phase and kind among some patients, and of how many.

        ``intra`` compares the first reader's readings, ``inter`` the first reading of every reader; a kind that
        the readings do not give, or that fewer than five of the patients have, is left out.
        """
        for each in self.ratings:
            among = [position for position, patient in enumerate(each.patients) if patient in patients]
            if len(among) >= FEWEST_PATIENTS:
                yield each, len(among), icc_agreement(each.values[among])

    def rows(self, patients: Collection[str]) -> Iterator[dict[str, Any]]:
        """Yield the agreement of every phase, kind and feature among some patients, as ``stability`` has it."""
        for ratings, count, estimate in self.agreement(patients):
            for column, name in enumerate(self.features):
                yield {
                    "phase": ratings.phase,
                    "feature": name,
                    "kind": ratings.kind,
                    "patients": count,
                    "icc": _number(estimate.value[column]),
                    "lower": _number(estimate.lower[column]),
                    "upper": _number(estimate.upper[column]),
                }

    def few(self, patients: Collection[str], phases: Collection[str] | None = None) -> list[FewReadings]:
        """Return the kinds of readings that too few of some patients have, in some phases or in all."""
        counted = [
            FewReadings(each.phase, each.kind, len(set(each.patients) & set(patients)))
            for each in self.ratings
            if phases is None or each.phase in phases
        ]
        return [each for each in counted if each.patients < FEWEST_PATIENTS]

    def stable_columns(
        self,
        patients: Collection[str],
        minimum_icc: float,
        bound: IccBound = "estimate",
        phases: Collection[str] | None = None,
    ) -> set[str]:
        """Return the columns whose readings agree among some patients, by the rule of `zoo.tables.stable_columns`.

        A column is stable where every kind of readings that the study declares agrees. A kind that too few of the
        patients have is not passed over: columns would then count as stable in one fold for reasons that do not
        hold in the next. Nor is the agreement among other patients put in its place: theirs are the held-out values.

        Parameters
        ----------
        patients : collection of str
            The training patients of a split or fold.
        minimum_icc : float
            The ICC from which a feature passes.
        bound : {'estimate', 'lower'}
            What is compared with it.
        phases : collection of str, optional
            The phases that are read; all where absent.

        Raises
        ------
        ContractError
            When fewer than five of the patients have repeated readings of a kind in a phase.
        """
        if few := self.few(patients, phases):
            raise _too_few(self.feature_set, few, len(patients))
        rows = [row for row in self.rows(patients) if phases is None or row["phase"] in phases]
        if not rows:
            raise ContractError(
                f"minimum_icc is asked for, but '{self.feature_set}' has no repeated readings", hint=_HINT
            )
        return stable_columns(rows, minimum_icc, bound)


class FewReadings(NamedTuple):
    """A kind of repeated readings that too few patients have in a phase."""

    phase: str
    kind: str
    patients: int


def repeated_readings(snapshot: Snapshot, study: Study, feature_set: str) -> RepeatedReadings:
    """Return the repeated readings of a study's feature set, all phases and patients.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study, whose first reading is the one that models use.
    feature_set : str
        ``name`` or ``name@version``, as the study writes it.
    """
    stored = stored_feature_set(snapshot, study, feature_set)
    names = [row["feature"] for row in snapshot.rows("features", feature_set=stored)]
    found = []
    values = reading_values(snapshot, study, stored, names)
    phases = study.phases if wide_kind(snapshot.row("feature_sets", feature_set=stored)).is_of_masks else sorted(values)
    for phase in phases:
        of_phase = values.get(phase, {})
        for kind, readings in _compared_readings(study).items():
            patients = sorted({patient for patient, *_ in of_phase})
            complete = [p for p in patients if all((p, *reading) in of_phase for reading in readings)]
            ratings = [[of_phase[(patient, *reading)] for reading in readings] for patient in complete]
            found.append(
                Ratings(phase, kind, tuple(complete), np.array(ratings).reshape(-1, len(readings), len(names)))
            )
    return RepeatedReadings(stored, tuple(names), tuple(found))


def stability_rows(snapshot: Snapshot, study: Study, split: str, feature_set: str) -> list[dict[str, Any]]:
    """Return the ICC(A,1) of every feature and phase, within and between readers, as rows of ``stability``.

    Only training patients of the split count: which features are kept must not be decided by patients that a
    model is judged on.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study, whose first reading is the one that models use.
    split : str
        The split whose training patients count.
    feature_set : str
        ``name`` or ``name@version``, as the study writes it.

    References
    ----------
    McGraw KO, Wong SP, Psychol Methods 1996;1:30, doi:10.1037/1082-989X.1.1.30.
    """
    training = _training_patients(snapshot, study, split)
    readings = repeated_readings(snapshot, study, feature_set)
    own = {"study": study.id, "split": split, "feature_set": readings.feature_set}
    return [own | row for row in readings.rows(training)]


def few_readings(
    snapshot: Snapshot, study: Study, split: str, feature_set: str, phases: Collection[str]
) -> list[FewReadings]:
    """Return which kinds of readings that the study declares have no agreement in the store: too few patients.

    None where the store has no agreement at all.

    Parameters
    ----------
    snapshot : Snapshot
        The store, with the agreement of the split's training patients.
    study : Study
        The study.
    split : str
        The split whose training patients count.
    feature_set : str
        ``name`` or ``name@version``, as the study writes it.
    phases : collection of str
        The phases that are asked about.
    """
    stored = stored_feature_set(snapshot, study, feature_set)
    rows = snapshot.rows("stability", study=study.id, split=split, feature_set=stored)
    there = {(row["phase"], row["kind"]) for row in rows}
    if not there or all((phase, kind) in there for phase in phases for kind in _compared_readings(study)):
        return []
    return repeated_readings(snapshot, study, feature_set).few(_training_patients(snapshot, study, split), phases)


def refuse_few_readings(
    snapshot: Snapshot, study: Study, split: str, feature_set: str, phases: Collection[str]
) -> None:
    """Refuse a minimum ICC where too few training patients have a kind of readings, as `few_readings` tells.

    Raises
    ------
    ContractError
        When fewer than five training patients have repeated readings of a kind in a phase.
    """
    if few := few_readings(snapshot, study, split, feature_set, phases):
        training = _training_patients(snapshot, study, split)
        raise _too_few(feature_set, few, len(training), where=f"study '{study.id}', split '{split}'")


def stability_is_current(snapshot: Snapshot, study: Study, split: str, feature_set: str) -> bool:
    """Return whether the store has the agreement of its readings as they are now.

    The newest row tells which commit it was computed in; where nothing that decides it came or went since, it stands.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    split : str
        The split whose training patients count.
    feature_set : str
        ``name`` or ``name@version``, as the study writes it.
    """
    stored = stored_feature_set(snapshot, study, feature_set)
    own, of_set = {"study": study.id}, {"feature_set": stored}
    rows = snapshot.rows("stability", **own, split=split, **of_set)
    reads = [("studies", own), ("split_members", own | {"split": split}), ("study_masks", own), ("masks", {})]
    reads += [(table, of_set) for table in ("features", "extractions", "segments", "study_extractions")]
    return bool(rows) and not changed_since(snapshot, max(row["added_commit"] for row in rows), reads)


def _training_patients(snapshot: Snapshot, study: Study, split: str) -> set[str]:
    members = snapshot.rows("split_members", study=study.id, split=split)
    return {row["patient"] for row in members if row["cohort"] == "training"}


def _too_few(feature_set: str, few: Sequence[FewReadings], training: int, where: str | None = None) -> ContractError:
    told = ", ".join(f"{each.patients} ({each.kind}, {each.phase})" for each in few)
    return ContractError(
        f"minimum_icc is asked for, but of {training} training patients fewer than {FEWEST_PATIENTS} have the repeated "
        f"readings of '{feature_set}' that the study declares: {told}",
        where=where,
        hint=_HINT,
    )


def _compared_readings(study: Study) -> dict[str, list[Reading]]:
    """Return which readings are compared within the first reader and between readers."""
    first = study.readings[0]
    within = [(each.reader, each.reading) for each in study.readings if each.reader == first.reader]
    between: dict[str, Reading] = {}
    for each in study.readings:
        between.setdefault(each.reader, (each.reader, each.reading))
    kinds = {"intra": within, "inter": list(between.values())}
    return {kind: readings for kind, readings in kinds.items() if len(readings) > 1}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
