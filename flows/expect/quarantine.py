"""Who is left out of what models read, for an expectation that their rows break, and who comes back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from flows.expect.asked import RuleAnswer, Scope
from schemas.expectations.rule import Expectation
from schemas.keys import MaskKey
from store.history.snapshot import Snapshot

__all__ = ["STAGE", "Quarantine", "stored_quarantine", "unquarantined_masks"]

STAGE = "expectation"
"""Of rows of ``failures``; their ``feature`` is the expectation's name."""

Row = dict[str, Any]


@dataclass
class Quarantine:
    """Masks and patients that no model of a study reads, with the expectations that leave them out."""

    study: str
    masks: defaultdict[MaskKey, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """The reason by expectation."""
    patients: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def add(
        self, name: str, rule: Expectation, answer: RuleAnswer, primary: Collection[MaskKey], *, of_features: bool
    ) -> str:
        """Leave out whom the rows of an answer name, and return whom in counts.

        Rows that have only the column patient leave out the patient, but those of features the patient's masks: the
        clinical values are not in doubt.

        Parameters
        ----------
        name : str
            The expectation's.
        rule : Expectation
            The expectation.
        answer : RuleAnswer
            The rows that break it.
        primary : collection of MaskKey
            The masks that models read where nothing is left out.
        of_features : bool
            The rows are of features.
        """
        reason = f"{name}: {rule.description}" if rule.description else f"{name} does not hold"
        of_patient: defaultdict[str, list[MaskKey]] = defaultdict(list)
        for key in primary:
            of_patient[key.patient].append(key)
        masks: set[MaskKey] = set()
        patients: set[str] = set()
        for patient, *rest in set(answer.keys):
            if patient is None:
                continue
            if not of_features and all(each is None for each in rest):
                patients.add(patient)
                continue
            masks |= {key for key in of_patient[patient] if _fits(rest, key)}
        for key in masks:
            self.masks[key][name] = reason
        for patient in patients:
            self.patients[patient][name] = reason
        counts = [f"{len(masks)} mask{'' if len(masks) == 1 else 's'}"] if masks or not patients else []
        counts += [f"{len(patients)} patient{'' if len(patients) == 1 else 's'}"] if patients else []
        return f"left out: {', '.join(counts)}"

    @staticmethod
    def names_no_mask(answer: RuleAnswer, known: Collection[MaskKey], *, of_features: bool) -> bool:
        """Return whether a row names neither a patient alone nor any mask of the study, a primary one or another."""
        by_patient: defaultdict[str, list[MaskKey]] = defaultdict(list)
        for key in known:
            by_patient[key.patient].append(key)
        for patient, *rest in set(answer.keys):
            if patient is None:
                return True
            if not of_features and all(each is None for each in rest):
                continue
            if not any(_fits(rest, key) for key in by_patient[patient]):
                return True
        return False

    def keep(self, other: Quarantine, names: Set[str], scope: Scope) -> None:
        """Take over who is left out already by expectations that are not looked at now, of who is in the study."""
        for key, reasons in other.masks.items():
            if key in scope.masks and (kept := {name: reasons[name] for name in reasons.keys() & names}):
                self.masks[key] |= kept
        for patient, reasons in other.patients.items():
            if patient in scope.patients and (kept := {name: reasons[name] for name in reasons.keys() & names}):
                self.patients[patient] |= kept

    def failures(self) -> list[Row]:
        """Return the rows of ``failures``."""
        own: Row = {"stage": STAGE, "study": self.study, "feature_set": ""}
        whole = {"exam": "", "phase": "", "lesion": "", "reader": "", "reading": 0}
        rows = [
            own | key._asdict() | {"feature": name, "reason": reason}
            for key, reasons in self.masks.items()
            for name, reason in reasons.items()
        ]
        rows += [
            own | whole | {"patient": patient, "feature": name, "reason": reason}
            for patient, reasons in self.patients.items()
            for name, reason in reasons.items()
        ]
        return sorted(rows, key=lambda row: (row["feature"], *MaskKey.of(row)))

    def study_masks(self, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Return rows of ``study_masks`` in which models read none that is left out."""
        return [{**row, "is_primary": 0 if self.masks.get(MaskKey.of(row)) else row["is_primary"]} for row in rows]

    def labels(self, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Return rows of ``labels`` in which nobody who is left out has one."""
        found = []
        for row in rows:
            reasons = self.patients.get(row["patient"])
            said = "; ".join(reasons[name] for name in sorted(reasons)) if reasons else ""
            found.append({**row, "label": None, "reason": f"left out by expectation {said}"} if said else dict(row))
        return found

    def members(self, split: Mapping[str, str]) -> dict[str, str]:
        """Return a split's patients and cohorts without those who are left out."""
        return {patient: cohort for patient, cohort in split.items() if not self.patients.get(patient)}


def _fits(said: Sequence[str | None], key: MaskKey) -> bool:
    """Return whether a mask is one that a row says: of the exam, phase, lesion, reader and reading that it has."""
    return all(given is None or given == str(own) for given, own in zip(said, key[1:], strict=True))


def stored_quarantine(snapshot: Snapshot, study: str) -> Quarantine:
    """Return who a store leaves out of what the models of a study read."""
    found = Quarantine(study)
    for row in snapshot.rows("failures", stage=STAGE, study=study):
        name, reason = row["feature"], row["reason"]
        if row["phase"]:
            found.masks[MaskKey.of(row)][name] = reason
        else:
            found.patients[row["patient"]][name] = reason
    return found


def unquarantined_masks(rows: Sequence[Mapping[str, Any]], left_out: Quarantine) -> list[Row]:
    """Return rows of ``study_masks`` as they were before masks were left out: only primary ones are."""
    return [{**row, "is_primary": 1 if left_out.masks.get(MaskKey.of(row)) else row["is_primary"]} for row in rows]
