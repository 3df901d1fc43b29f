"""Who is compared with whom."""

from __future__ import annotations

import pytest
from builders.store import key_of, rows_of
from builders.written_store import WrittenStore

from flows.monitor.groups import SEVERAL, Groups, comparisons, grouped_patients
from flows.monitor.report import Compared
from flows.monitor.words import comparison_title
from schemas.errors import ContractError, NotFoundError


@pytest.fixture
def written(tmp_path):
    """Return a store of six patients of a study, each with an image and a mask in AP and DP."""
    written = WrittenStore(tmp_path / "store")
    written.put_study()
    patients = [f"P{number}" for number in range(6)]
    written.put("study_patients", [{"study": "s", "patient": patient} for patient in patients])
    keys = [key_of(patient, phase)._asdict() for patient in patients for phase in ("AP", "DP")]
    written.put("study_masks", [{"study": "s", "is_primary": 1} | key for key in keys])
    written.put("study_masks", [{"study": "other", "is_primary": 1} | key_of("Z1")._asdict()])
    return written


def groups_of(written, by, **options):
    """Return each patient's group."""
    given = {"split": None, "feature_set": None} | options
    return dict(grouped_patients(written.snapshot, written.study, by, **given).of)


def put_scanner(written, patient, phase, **said):
    """Write what an image says of its scanner."""
    written.put("acquisitions", [{"patient": patient, "exam": "baseline", "phase": phase} | said])


def test_scanners_by_maker_model_and_field(written):
    """Whose phases are of two scanners is in a group of its own; whose images say nothing in none."""
    for patient in ("P0", "P1", "Z1"):
        for phase in ("AP", "DP"):
            put_scanner(written, patient, phase, manufacturer="GE", scanner_model="SIGNA", field_strength_t=1.5)
    put_scanner(written, "P2", "AP", manufacturer="GE")
    put_scanner(written, "P3", "AP", field_strength_t=3.0)
    put_scanner(written, "P4", "AP", manufacturer="GE")
    put_scanner(written, "P4", "DP", manufacturer="Philips")
    put_scanner(written, "P5", "AP", echo_time_ms=1.9)
    assert groups_of(written, "scanner") == {
        "P0": "GE SIGNA 1.5 T",
        "P1": "GE SIGNA 1.5 T",
        "P2": "GE",
        "P3": "3.0 T",
        "P4": SEVERAL,
    }


def test_months_of_the_exams_that_models_read(written):
    """Another exam's date, and one that is missing, are none."""
    days = {"P0": "2024-01-31", "P1": "2024-02-01", "P2": None}
    written.put("exams", [{"patient": p, "exam": "baseline", "acquired_on": day} for p, day in days.items()])
    written.put("exams", [{"patient": "P3", "exam": "later", "acquired_on": "2025-01-01"}])
    assert groups_of(written, "month") == {"P0": "2024-01", "P1": "2024-02"}


def test_months_of_moved_dates_are_refused(written):
    """With shifted dates no month is the true one."""
    written.text += '\n[privacy]\npseudonyms = "hash"\nkey = "key"\n'
    with pytest.raises(ContractError, match="dates are moved") as error:
        groups_of(written, "month")
    assert "--by commit" in error.value.hint


def test_commits_that_brought_the_patient_or_the_rows(written):
    """Without a feature set the patient's commit, else that of the rows."""
    written.put("study_patients", [{"study": "s", "patient": "P9"}])
    (first, later) = sorted(set(groups_of(written, "commit").values()), key=int)
    assert groups_of(written, "commit") == {**{f"P{n}": first for n in range(6)}, "P9": later}
    written.features({("P0", "AP"): {}, ("P1", "AP"): {}})
    rows = {row["patient"]: row["extraction_id"] for row in rows_of(written.store, "from quick_v1")}
    for patient in ("P0", "P1"):
        link = {"study": "s", "feature_set": "quick@1", "extraction_id": rows[patient]}
        written.put("study_extractions", [link])
    found = groups_of(written, "commit", feature_set="quick@1")
    assert int(found["P0"]) + 1 == int(found["P1"]) == written.snapshot.commit_id


def test_levels_of_a_clinical_variable(written):
    """Patients of the study whose level is known."""
    written.clinical("P0", sex="male")
    written.clinical("P1", sex="female")
    written.clinical("Z1", sex="male")
    assert groups_of(written, "sex") == {"P0": "male", "P1": "female"}


def test_cohorts_of_a_split(written):
    """Training, validation, and new for who is in neither."""
    written.cohort({"P0": 1, "P1": 0}, {"P0": "training", "P1": "validation"})
    assert groups_of(written, "cohort") == {
        "P0": "training",
        "P1": "validation",
        **dict.fromkeys(("P2", "P3", "P4", "P5"), "new"),
    }


def test_each_other_group_is_compared_with_the_largest():
    """Or with the one that is named; of equal ones the first by its name, of cohorts the training patients."""
    groups = Groups("site", {"a": "south", "b": "south", "c": "north", "d": "west", "e": "west"})
    assert [(each.reference, each.current) for each in comparisons(groups, None)] == [
        ("south", "north"),
        ("south", "west"),
    ]
    (first, second) = comparisons(groups, "north")
    assert (first.reference_patients, first.current_patients) == (("c",), ("a", "b"))
    assert second.current == "west"
    cohorts = Groups("cohort", {"a": "new", "b": "new", "c": "training"})
    assert [each.reference for each in comparisons(cohorts, None)] == ["training"]


def test_later_months_are_compared_with_all_before():
    """Up to the one that is named, or as many as have half of the patients, and never with nobody."""
    months = ("2024-01", "2024-02", "2024-03")
    of = {f"P{number}": months[number // 2] for number in range(6)}
    first, *more = comparisons(Groups("month", of, months), None)
    assert (first.reference, first.current) == ("2024-01 to 2024-02", "2024-03")
    assert first.reference_patients == ("P0", "P1", "P2", "P3")
    assert more == []
    assert [(each.reference, each.current) for each in comparisons(Groups("month", of, months), "2024-01")] == [
        ("2024-01", "2024-02"),
        ("2024-01", "2024-03"),
    ]
    late = Groups("month", {"a": "2024-01", "b": "2024-02", "c": "2024-02"}, months[:2])
    assert [(each.reference, each.current) for each in comparisons(late, None)] == [("2024-01", "2024-02")]


def test_what_came_since_a_commit_is_one_group():
    """Commits are small: all later ones together are compared; the one that is named need not have brought anybody."""
    groups = Groups("commit", {"a": "2", "b": "9", "c": "10", "d": "12"}, ("2", "9", "10", "12"))
    (found,) = comparisons(groups, "9")
    assert (found.reference, found.current) == ("2 to 9", "10 to 12")
    assert found.current_patients == ("c", "d")
    (found,) = comparisons(groups, "11")
    assert (found.reference, found.current) == ("2 to 10", "12")
    for named in ("1", "x", "-3"):
        with pytest.raises(NotFoundError, match=f"no commit '{named}'"):
            comparisons(groups, named)


def test_a_month_without_patients_is_a_reference_too():
    """All months up to it; what is no month is none."""
    groups = Groups("month", {"a": "2024-01", "b": "2024-04"}, ("2024-01", "2024-04"))
    (found,) = comparisons(groups, "2024-03")
    assert (found.reference, found.current) == ("2024-01", "2024-04")
    for named in ("2023-12", "2024", "2024-13"):
        with pytest.raises(NotFoundError, match="no month"):
            comparisons(groups, named)


def test_one_group_is_compared_with_nothing():
    """All patients in one group, or the last month as the reference."""
    assert comparisons(Groups("site", {"a": "north"}), None) == []
    months = Groups("month", {"a": "2024-01", "b": "2024-02"}, ("2024-01", "2024-02"))
    assert comparisons(months, "2024-02") == []
    with pytest.raises(NotFoundError, match="no site 'east'"):
        comparisons(Groups("site", {"a": "north", "b": "south"}), "east")


def test_a_group_with_a_line_break_in_its_name_makes_no_line_of_its_own():
    """Levels come from others: in words they are one printable line."""
    each = Compared("features", "north", "south\nno drift\x1b[31m", 5, 6, None, "fewer than 10 patients in a group")
    assert len(comparison_title(each).splitlines()) == 1
    assert "\x1b" not in comparison_title(each)
    assert "6 patients" in comparison_title(each)
