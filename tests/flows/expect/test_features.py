"""Expectations that read features: they wait for a refresh, are looked at in its commit, and leave out masks."""

from __future__ import annotations

import pytest
from builders.study import SmallStudy

from schemas.errors import ContractError
from store.history.snapshot import newest_commit

RULE = """
[expectations.bright]
sql = "select patient, phase, original_firstorder_Mean as mean from quick where original_firstorder_Mean > {bound}"
policy = "{policy}"
description = "a lesion as bright as the vessel is a wrong mask"
"""


@pytest.fixture(scope="module")
def computed(tmp_path_factory) -> SmallStudy:
    """Return a study whose P2 is bright in AP, with a rule that leaves it out, ingested and refreshed."""
    study = SmallStudy.below(tmp_path_factory.mktemp("features"))
    study.write_image("P2", image=study.image("P2") + 400)
    study.file.write_text(study.file.read_text() + RULE.format(bound=700, policy="quarantine"))
    return study


def unread(study: SmallStudy) -> set[tuple[str, str]]:
    """Return patient and phase of the masks that no model reads."""
    rows = study.sql("select patient, phase from study_masks where not is_primary")
    return {(row["patient"], row["phase"]) for row in rows}


def test_a_rule_over_features_waits_then_leaves_out_then_lets_back(computed, capsys) -> None:
    """Not checked at the first ingest, broken at the refresh, the same at the next ingest, held when corrected."""
    study = computed
    (found,) = study.ingest().expectations
    assert (found.status, "no row of quick is computed yet" in found.detail) == ("not_checked", True)

    report = study.refresh_without_prefect()
    (found,) = report.expectations
    assert (found.status, found.rows, found.detail, report.left_out) == ("broken", 1, "left out: 1 mask", 1)
    assert unread(study) == {("P2", "AP")}
    assert study.sql("select label from labels where patient = 'P2'") == [{"label": 0}]
    assert study.sql("select patient, phase, is_primary from quick where not is_primary") == [
        {"patient": "P2", "phase": "AP", "is_primary": False}
    ]
    code, out, _ = study.ask(capsys, "refresh", "--dry-run")
    assert (code, "quarantine: expectation 'bright' is broken by 1 row, left out: 1 mask" in out) == (0, True)
    assert "1 left out by expectations" in out
    assert study.ingest(dry_run=True).would_change is False
    assert study.ingest().commit_id is None
    assert unread(study) == {("P2", "AP")}

    study.write_image("P2")
    study.ingest()
    report = study.refresh_without_prefect()
    assert (report.expectations[0].status, report.left_out, unread(study)) == ("held", 0, set())


def test_a_refresh_that_breaks_a_refusing_rule_lands_nothing_and_loses_nothing(tmp_path) -> None:
    """The commit is refused; what was computed is taken over once the rule is another."""
    study = SmallStudy.below(tmp_path)
    study.file.write_text(study.file.read_text() + RULE.format(bound=100, policy="refuse"))
    study.ingest()
    study.stage()
    with pytest.raises(ContractError, match="expectation 'bright' is broken by 8 rows: a lesion as bright"):
        study.refresh()
    assert (newest_commit(study.store), study.sql("from features")) == (1, [])
    study.edit("> 100", "> 1000")
    study.ingest()
    report = study.refresh()
    assert (report.computed, report.reused, report.expectations[0].status) == (0, 8, "held")


def test_a_column_that_the_features_do_not_have_is_said_at_the_refresh(tmp_path) -> None:
    """Which features there are is known with the first rows: a wrong name refuses then, and is no empty answer."""
    study = SmallStudy.below(tmp_path)
    study.file.write_text(study.file.read_text() + RULE.format(bound=100, policy="refuse").replace("_Mean", "_Meen"))
    assert study.ingest().expectations[0].status == "not_checked"
    study.stage()
    with pytest.raises(ContractError, match="expectation 'bright' cannot be answered") as caught:
        study.refresh()
    assert "original_firstorder_Meen" in caught.value.message
