"""Who is compared with whom: a study's patients by cohort, scanner, month, commit or a clinical variable."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.drift.asked import GROUPINGS
from schemas.errors import ContractError, NotFoundError
from schemas.study.file import Study
from store.analyst.query import snapshot_connection
from store.analyst.view_parts import quoted_name
from store.history.snapshot import Snapshot
from store.kinds.every import kind_of
from store.rows.point_in_time import clinical_at_reference

__all__ = ["SEVERAL", "Comparison", "Groups", "comparisons", "grouped_patients", "refuse_unknown_grouping"]

SEVERAL = "several"
"""The group of a patient whose images are of several scanners."""

_IN_NO_COHORT = "new"

_SCANNER = """
select distinct patient, concat_ws(' ', manufacturer, scanner_model, format('{} T', field_strength_t)) as name
from acquisitions join study_masks using (patient, exam, phase)
where study = $study and is_primary and coalesce(manufacturer, scanner_model, field_strength_t::varchar) is not null
"""
_MONTH = """
select m.patient, strftime(max(acquired_on), '%Y-%m') as name from study_masks m join exams using (patient, exam)
where study = $study and is_primary and acquired_on is not null group by m.patient
"""
_MONTH_OF_TABLE = """
select patient, strftime(max(acquired_on), '%Y-%m') as name from exams
join patients using (patient) where study = $study and acquired_on is not null group by patient
"""
_COMMIT_OF_PATIENT = "select patient, since_commit::varchar as name from patients where study = $study"


@dataclass(frozen=True)
class Groups:
    """The group of each patient."""

    by: str
    of: Mapping[str, str]
    order: tuple[str, ...] = ()
    """The groups from the first to the last where they have an order."""


@dataclass(frozen=True)
class Comparison:
    """A group of patients that is compared with a reference."""

    reference: str
    current: str
    reference_patients: tuple[str, ...]
    current_patients: tuple[str, ...]


def refuse_unknown_grouping(study: Study, by: str) -> None:
    """Refuse what patients cannot be compared by.

    Raises
    ------
    NotFoundError
        When the study has no such variable.
    ContractError
        When the variable is a number, or the months of the store are not the true ones.
    """
    if by == "month" and study.privacy is not None and study.privacy.dates == "shift":
        raise ContractError(
            "each patient's dates are moved by a number of days of its own, so that no month is the true one",
            where=f"study '{study.id}', [privacy]",
            hint="--by commit compares what came later with what came first",
        )
    with_levels = [name for name, each in study.clinical.variables.items() if each.levels]
    if by in GROUPINGS or by in with_levels:
        return
    hint = f"--by, one of: {', '.join((*GROUPINGS, *with_levels))}"
    if by not in study.clinical.variables:
        raise NotFoundError(f"study '{study.id}' has no clinical variable '{by}'", hint=hint)
    raise ContractError(f"'{by}' is a number: its values make no groups", where=f"study '{study.id}'", hint=hint)


def grouped_patients(
    snapshot: Snapshot, study: Study, by: str, *, split: str | None, feature_set: str | None
) -> Groups:
    """Return the group of each patient of a study.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    by : str
        cohort, scanner, month, commit, or the name of a clinical variable that has levels.
    split : str or None
        Of which the cohort is; the study's first where None.
    feature_set : str or None
        ``name@N`` whose rows came with a commit; that of the patient where None.

    Raises
    ------
    NotFoundError
        When the study has no such split or variable.
    ContractError
        When the variable is a number, or the dates of the store are moved.
    """
    refuse_unknown_grouping(study, by)
    if by == "cohort":
        return Groups(by, _cohorts(snapshot, study, split), ())
    if by == "scanner":
        return Groups(by, _asked(snapshot, _SCANNER, study, {"acquisitions", "study_masks"}))
    if by == "month":
        has_masks = bool(snapshot.rows("study_masks", study=study.id))
        query, names = (_MONTH, {"exams", "study_masks"}) if has_masks else (_MONTH_OF_TABLE, {"exams", "patients"})
        found = _asked(snapshot, query, study, names)
        return Groups(by, found, tuple(sorted(set(found.values()))))
    if by == "commit":
        found = _commits(snapshot, study, feature_set)
        return Groups(by, found, tuple(sorted(set(found.values()), key=int)))
    return Groups(by, _levels(snapshot, study, by))


def comparisons(groups: Groups, reference: str | None) -> list[Comparison]:
    """Return which groups are compared with which.

    Each other group is compared with the reference; of months each later one with all up to the reference, of commits
    all later ones together. Where no reference is named it is the largest group, of the first by its name; of groups
    in an order the first ones that have half of the patients; of cohorts the training patients.

    Returns
    -------
    list of Comparison
        None where all patients are in one group.

    Raises
    ------
    NotFoundError
        When there is no such group, or nobody is in any.
    """
    sizes = Counter(groups.of.values())
    if not sizes:
        view = {"scanner": "acquisitions", "month": "exams", "commit": "patients"}.get(groups.by, "clinical")
        raise NotFoundError(
            f"no patient's {groups.by} is known", hint=f'radzoo sql "from {view}" shows what is; --by names others'
        )
    known = groups.order or tuple(sorted(sizes, key=lambda name: (name == _IN_NO_COHORT, name)))
    if groups.order:
        first = _first_half(groups.order, sizes) if reference is None else _up_to(groups, reference)
        olds, news = groups.order[:first], groups.order[first:]
    else:
        if reference is not None and reference not in sizes:
            raise _no_group(groups.by, reference, known)
        olds = (reference or _usual_reference(groups.by, sizes),)
        news = tuple(each for each in known if each not in olds)
    name = _span(olds)
    if not news:
        return []
    # A night's commit may bring one patient: what came since is one group.
    together = [news] if groups.by == "commit" else [(each,) for each in news]
    old_patients = tuple(sorted(patient for patient, group in groups.of.items() if group in olds))
    return [
        Comparison(name, _span(new), old_patients, tuple(sorted(p for p, group in groups.of.items() if group in new)))
        for new in together
    ]


def _span(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _no_group(by: str, reference: str, known: tuple[str, ...]) -> NotFoundError:
    return NotFoundError(f"there is no {by} '{reference}'", hint=f"--reference, one of: {', '.join(known)}")


def _up_to(groups: Groups, reference: str) -> int:
    """Return how many groups come up to a month or commit, which itself may have brought nobody."""
    form = r"[1-9][0-9]{0,17}" if groups.by == "commit" else r"[0-9]{4}-(0[1-9]|1[0-2])"
    if re.fullmatch(form, reference):
        # Of whole numbers the one of fewer digits is the smaller; months have as many letters each.
        found = sum((len(each), each) <= (len(reference), reference) for each in groups.order)
        if found:
            return found
    raise _no_group(groups.by, reference, groups.order)


def _usual_reference(by: str, sizes: Mapping[str, int]) -> str:
    if by == "cohort" and "training" in sizes:
        return "training"
    return min(sizes, key=lambda name: (-sizes[name], name))


def _first_half(order: tuple[str, ...], sizes: Mapping[str, int]) -> int:
    """Return how many of the first groups have half of the patients; one is left to be compared with them."""
    before = 0
    for number, name in enumerate(order, start=1):
        before += sizes[name]
        if 2 * before >= sum(sizes.values()):
            return min(number, max(1, len(order) - 1))
    return len(order)


def _asked(snapshot: Snapshot, query: str, study: Study, names: set[str], **more: str) -> dict[str, str]:
    with snapshot_connection(snapshot, names) as connection:
        rows = connection.sql(query, params={"study": study.id, **more}).fetchall()
    found: dict[str, str] = {}
    for patient, name in rows:
        found[patient] = SEVERAL if found.get(patient, name) != name else name
    return found


def _cohorts(snapshot: Snapshot, study: Study, split: str | None) -> dict[str, str]:
    """Return training, validation, or new for who is in no cohort."""
    name = split or next(iter(study.splits), None)
    if name is None or name not in study.splits:
        known = ", ".join(study.splits) or "none"
        raise NotFoundError(
            f"study '{study.id}' has no split '{name}'" if name else f"study '{study.id}' has no split",
            hint=f"--split, one of: {known}; or --by scanner, month, commit or a clinical variable",
        )
    members = {row["patient"]: row["cohort"] for row in snapshot.rows("split_members", study=study.id, split=name)}
    return {p: members.get(p, _IN_NO_COHORT) for p in snapshot.column("study_patients", "patient", study=study.id)}


def _commits(snapshot: Snapshot, study: Study, feature_set: str | None) -> dict[str, str]:
    """Return the commit that the last of each patient's rows came with."""
    if feature_set is None:
        return _asked(snapshot, _COMMIT_OF_PATIENT, study, {"patients"})
    kind = kind_of(snapshot.row("feature_sets", feature_set=feature_set))
    view = kind.view(feature_set)
    query = (
        f"select v.patient, max(x.added_commit)::varchar as name from {quoted_name(view)} v "
        "join catalogue.study_extractions x using (extraction_id) "
        "where x.study = $study and x.feature_set = $feature_set group by v.patient"
    )
    return _asked(snapshot, query, study, {view, "study_extractions"}, feature_set=feature_set)


def _levels(snapshot: Snapshot, study: Study, variable: str) -> dict[str, str]:
    own = set(snapshot.column("study_patients", "patient", study=study.id))
    values = clinical_at_reference(snapshot, study.id).values
    return {p: str(of[variable]["level"]) for p, of in values.items() if p in own and variable in of}
