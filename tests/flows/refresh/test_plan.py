"""The plan of a refresh: what is unchanged, reused, staged, known to fail, missing; and which version it is of."""

import pytest

from flows.refresh.feature_sets import bound_feature_sets
from flows.refresh.plan import refresh_plan
from flows.refresh.run import refresh, stored_study
from flows.refresh.staged import staging_folder
from schemas.errors import ContractError, NotFoundError
from store.commits.commit import commit_to
from store.rows.staging import staged_ids


def keys(planned):
    """Return patient and phase of planned extractions."""
    return [(each.key.patient, each.key.phase) for each in planned]


def sizes(plan):
    """Return how many extractions each part of a plan has."""
    return {
        name: len(getattr(plan, name))
        for name in ("unchanged", "reused", "staged", "known_failures", "missing")
        if getattr(plan, name)
    }


def test_everything_is_missing_at_first_in_batches_of_one_patient(small_study):
    """After ingest every mask is missing, and a worker is given one patient's scans at a time."""
    small_study.ingest()
    plan = small_study.plan()
    assert sizes(plan) == {"missing": 8}
    assert not plan.is_current
    assert [keys(batch) for batch in plan.missing_by_patient()] == [
        [(patient, "AP"), (patient, "DP")] for patient in small_study.patients
    ]


def test_the_patients_that_take_longest_come_first(small_study):
    """A large lesion begun last would keep one worker busy while the others have none."""
    for phase in ("AP", "DP"):
        small_study.write_mask("P3", phase, mask=small_study.mask("P3", phase, grow=2))
    small_study.ingest()
    plan = small_study.plan()
    assert [batch[0].key.patient for batch in plan.missing_by_patient()] == ["P3", "P1", "P2", "P4"]
    by_patient = [plan.bound.work(batch) for batch in plan.missing_by_patient()]
    assert by_patient == sorted(by_patient, reverse=True)
    assert plan.bound.work(plan.missing) == pytest.approx(sum(by_patient))


def test_a_plan_writes_nothing(small_study):
    """Planning makes no staging folder, no commit and no run."""
    small_study.ingest()
    files = sorted(small_study.store_root.rglob("*"))
    small_study.plan()
    assert sorted(small_study.store_root.rglob("*")) == files
    assert len(small_study.sql("from runs")) == 1


def test_staged_rows_are_taken_over_then_unchanged(small_study):
    """What an interrupted run staged is planned as staged, and after the refresh as unchanged."""
    small_study.ingest()
    small_study.stage(patients=["P2", "P3"])
    plan = small_study.plan()
    assert sizes(plan) == {"staged": 4, "missing": 4}
    assert {each.key.patient for each in plan.staged} == {"P2", "P3"}
    assert staged_ids(staging_folder(small_study.store, plan.bound)) == {each.extraction_id for each in plan.staged}
    small_study.refresh_without_prefect()
    plan = small_study.plan()
    assert sizes(plan) == {"unchanged": 8}
    assert plan.is_current
    assert staged_ids(staging_folder(small_study.store, plan.bound)) == set()


def test_another_content_is_another_extraction(small_study):
    """A changed mask and a changed image are missing again, each alone."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    small_study.write_mask("P1", "DP", mask=small_study.mask("P1", "DP", grow=1))
    small_study.write_image("P4", seed=7)
    small_study.ingest()
    plan = small_study.plan()
    assert keys(plan.missing) == [("P1", "DP"), ("P4", "AP")]
    assert len(plan.unchanged) == 6


def test_content_that_comes_back_is_not_computed_again(small_study):
    """A mask that is changed and changed back has its row in the store still."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    small_study.write_mask("P1", mask=small_study.mask("P1", grow=1))
    small_study.ingest()
    small_study.refresh_without_prefect()
    small_study.write_mask("P1")
    small_study.ingest()
    assert sizes(small_study.plan()) == {"unchanged": 7, "reused": 1}


def record_failure(study, patient, feature=""):
    """Put a failure of a refresh on record, as a refresh does."""
    plan = study.plan()
    key = next(each.key for each in plan.missing if each.key.patient == patient)
    row = {"stage": "refresh", "study": study.study_id, "feature_set": "quick@1", "feature": feature, "reason": "r"}
    with commit_to(study.store, "a refresh") as commit:
        commit.put("failures", [row | key._asdict()])
    return key


def test_a_known_failure_is_not_tried_again_unless_asked(small_study):
    """A row that failed is left alone until it is asked for, or its mask, its image or its file changes."""
    small_study.ingest()
    key = record_failure(small_study, "P1")
    plan = small_study.plan()
    assert sizes(plan) == {"known_failures": 1, "missing": 7}
    assert plan.known_failures[0].key == key
    assert sizes(small_study.plan(retry_failed=True)) == {"missing": 8}


def new_mask(study):
    """Draw the mask again."""
    study.write_mask("P1", mask=study.mask("P1", grow=1))


def new_image(study):
    """Export another image."""
    study.write_image("P1", seed=3)


def restored_image(study):
    """Put the image back as it was when it was ingested; the file's time is new."""
    study.write_image("P1")


@pytest.mark.parametrize("correct", [new_mask, new_image, restored_image])
def test_a_corrected_file_is_tried_again(small_study, correct):
    """After ingest has seen a changed file, the failure of before no longer counts."""
    small_study.ingest()
    record_failure(small_study, "P1")
    correct(small_study)
    small_study.ingest()
    assert sizes(small_study.plan()) == {"missing": 8}


def test_a_single_feature_without_a_value_is_no_failed_row(small_study):
    """A failure of one feature does not keep a row from being planned."""
    small_study.ingest()
    record_failure(small_study, "P1", feature="original_firstorder_Mean")
    assert sizes(small_study.plan()) == {"missing": 8}


def test_a_failure_of_a_mask_that_left_the_study_is_cleared(small_study):
    """A refresh clears the failure of a mask that the study no longer has, and needs no worker for it."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    new_mask(small_study)
    small_study.ingest()
    record_failure(small_study, "P1")
    small_study.mask_file("P1").unlink()
    small_study.ingest()
    assert not small_study.plan().is_current
    small_study.refresh()
    assert small_study.sql("select stage, reason from failures") == [
        {"stage": "ingest", "reason": "mask masks/P1_AP.nii.gz: file is missing"}
    ]
    assert small_study.plan().is_current


def test_one_image_and_mask_under_two_keys_is_one_extraction(small_study):
    """A scan that stands under two phases is computed once and shown under both."""
    small_study.edit("images/{patient}_DP", "images/{patient}_AP")
    small_study.edit("masks/{patient}_DP", "masks/{patient}_AP")
    small_study.ingest()
    plan = small_study.plan()
    assert len(plan.missing) == 8
    assert len({each.extraction_id for each in plan.missing}) == 4
    small_study.refresh_without_prefect()
    assert len(small_study.snapshot.rows("extractions")) == 4
    assert small_study.sql("select count(*) n, count(distinct extraction_id) e from quick") == [{"n": 8, "e": 4}]


def test_a_changed_definition_is_a_new_version_and_an_old_one_its_old_number(small_study):
    """Other parameters make the next version; parameters that come back have the number they had."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    small_study.edit("bin_width = 25", "bin_width = 10")
    small_study.ingest()
    assert small_study.plan().bound.feature_set == "quick@2"
    assert sizes(small_study.plan()) == {"missing": 8}
    small_study.refresh_without_prefect()
    small_study.edit("bin_width = 10", "bin_width = 25")
    small_study.ingest()
    assert small_study.plan().bound.feature_set == "quick@1"
    assert sizes(small_study.plan()) == {"unchanged": 8}


def test_a_changed_description_is_no_new_version(small_study):
    """What people read about a feature set does not decide its values."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    small_study.edit("[define.quick.radiomics]", '[define.quick]\ndescription = "fast"\n\n[define.quick.radiomics]')
    small_study.ingest()
    assert small_study.plan().bound.feature_set == "quick@1"
    assert small_study.plan().is_current


def test_a_version_that_is_bound_to_another_definition_is_refused(small_study):
    """The number in the study file holds on to what it meant; other parameters under it are refused."""
    small_study.edit('["quick"]', '["quick@1"]')
    small_study.ingest()
    small_study.refresh_without_prefect()
    small_study.edit("bin_width = 25", "bin_width = 10")
    small_study.ingest()
    with pytest.raises(ContractError, match="'quick@1' of this store was made by another definition") as error:
        small_study.plan()
    assert error.value.exit_code == 4
    assert "pyradiomics 3.0.1" in error.value.where


def test_a_fixed_number_of_bins_is_a_definition_too(small_study):
    """A study may ask for a bin count where the default is a width."""
    small_study.edit("bin_width = 25", "bin_count = 16")
    small_study.ingest()
    settings = small_study.plan().bound.definition.settings
    assert (settings.bin_count, settings.bin_width) == (16, None)


def bound(study, only=None):
    """Return the names of the feature sets that a study asks for."""
    snapshot = study.snapshot
    return [each.feature_set for each in bound_feature_sets(stored_study(snapshot, "small"), snapshot, only)]


def test_one_of_several_feature_sets_may_be_asked_for(small_study):
    """A name, with or without version, takes that one of the study's sets; another is not found."""
    small_study.edit('["quick"]', '["quick", "hcc-cemri@1"]')
    small_study.ingest()
    assert bound(small_study) == ["quick@1", "hcc-cemri@1"]
    assert bound(small_study, "hcc-cemri") == ["hcc-cemri@1"]
    assert bound(small_study, "hcc-cemri@1") == ["hcc-cemri@1"]
    for unknown in ("slow", "hcc-cemri@2"):
        with pytest.raises(NotFoundError, match=f"does not ask for feature set '{unknown}'"):
            bound(small_study, unknown)


@pytest.mark.parametrize("name", ["none-such", "hcc-cemri@9"])
def test_a_feature_set_that_nobody_defines_is_not_found(small_study, name):
    """A name or version that is neither built in nor defined is refused at ingest; one asked for later is not found."""
    small_study.ingest()
    with pytest.raises(NotFoundError, match=f"does not ask for feature set '{name}'"):
        refresh(small_study.store, feature_set=name)
    small_study.edit('["quick"]', f'["{name}"]')
    with pytest.raises(ContractError, match=f"feature set '{name}'"):
        small_study.ingest()


def test_a_study_does_not_take_a_built_in_name(small_study):
    """A definition under a built-in name would give one name two meanings."""
    text = (
        small_study.file.read_text().replace("define.quick", "define.hcc-cemri").replace('["quick"]', '["hcc-cemri"]')
    )
    small_study.file.write_text(text)
    with pytest.raises(ContractError, match="takes the name of a built-in feature set"):
        small_study.ingest()


def test_which_study_is_asked_where_there_are_several(small_study):
    """One study needs no name; of several the name is asked for, and an unknown one is not found."""
    small_study.ingest()
    assert stored_study(small_study.snapshot, None).id == "small"
    small_study.another().ingest()
    with pytest.raises(NotFoundError, match=r"which study\?") as error:
        refresh(small_study.store)
    assert "second, small" in error.value.hint
    with pytest.raises(NotFoundError, match="there is no study 'third'"):
        refresh(small_study.store, "third")


def test_a_plan_is_of_its_snapshot(small_study):
    """A plan made before a refresh still says what was missing then."""
    small_study.ingest()
    before = small_study.snapshot
    (bound_set,) = bound_feature_sets(stored_study(before, "small"), before)
    small_study.refresh_without_prefect()
    assert sizes(refresh_plan(before, "small", bound_set)) == {"missing": 8}
