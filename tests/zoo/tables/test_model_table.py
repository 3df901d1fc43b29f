"""The table a model trains on: its rows, its columns, its factors, and who is left out and why."""

from dataclasses import replace

import polars as pl
import pytest

from schemas.errors import ContractError, NotFoundError
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import FeatureSetDefinition
from schemas.study.models import FactorRule
from zoo.tables.fits import UnfitError
from zoo.tables.inputs import ModelInputs
from zoo.tables.model_table import KEY_COLUMNS, model_table

LABELS = {"P4": 0, "P3": 1, "P2": 0, "P1": 1}
COHORTS = {"P4": "validation", "P3": "validation", "P2": "training", "P1": "training"}
VOLUME = "original_shape_MeshVolume"
RADIOMICS = ModelInputs("fixed", "quick", ("AP", "DP"), ())


def factors(*rules):
    """Return the inputs of a clinical model."""
    return ModelInputs("fixed", None, (), tuple(FactorRule(**rule) for rule in rules))


def both_phases(**of_patient):
    """Return rows of AP and DP for each patient, with volumes that tell them apart."""
    return {
        (patient, phase): {VOLUME: value + shift}
        for patient, value in of_patient.items()
        for phase, shift in (("AP", 0.0), ("DP", 0.5))
    }


@pytest.fixture
def four(written_store):
    """Return a store of four labelled patients in two cohorts."""
    written_store.cohort(LABELS, COHORTS)
    return written_store


def test_columns_are_named_by_phase_and_rows_ordered_by_patient(four):
    """Keys come first, then each phase's features as PHASE__feature; rows stand in the order of the pseudonyms."""
    four.features(both_phases(P1=1.0, P2=2.0, P3=3.0, P4=4.0))
    table = four.table(RADIOMICS)
    assert tuple(table.frame.columns[:3]) == KEY_COLUMNS
    assert len(table.columns) == 28
    assert table.columns[0].startswith("AP__original_shape_")
    assert table.frame.select("patient", "cohort", "label", f"AP__{VOLUME}", f"DP__{VOLUME}").rows() == [
        ("P1", "training", 1, 1.0, 1.5),
        ("P2", "training", 0, 2.0, 2.5),
        ("P3", "validation", 1, 3.0, 3.5),
        ("P4", "validation", 0, 4.0, 4.5),
    ]
    assert table.excluded == {}


def test_a_cohort_is_its_inputs_labels_and_patients(four):
    """A cohort's inputs are without keys, in the order of its labels and pseudonyms."""
    four.features(both_phases(P1=1.0, P2=2.0, P3=3.0, P4=4.0))
    inputs, labels, patients = four.table(RADIOMICS).of_cohort("validation")
    assert not set(inputs.columns) & set(KEY_COLUMNS)
    assert (labels.to_list(), patients.to_list()) == ([1, 0], ["P3", "P4"])
    assert inputs[f"AP__{VOLUME}"].to_list() == [3.0, 4.0]


def test_only_the_primary_reading_is_read(four):
    """Other readings of the same scans, and another study's masks, do not reach the table."""
    four.features(both_phases(P1=1.0, P2=2.0, P3=3.0, P4=4.0))
    second = {(patient, phase, "R2"): {VOLUME: 99.0} for patient in LABELS for phase in ("AP", "DP")}
    four.features(second, primary=False)
    third = {(patient, phase, "R3"): {VOLUME: 77.0} for patient in LABELS for phase in ("AP", "DP")}
    four.features(third, study="other")
    table = four.table(RADIOMICS)
    assert table.frame[f"AP__{VOLUME}"].to_list() == [1.0, 2.0, 3.0, 4.0]


def test_a_patient_without_a_row_in_a_phase_is_left_out_by_name(written_store):
    """Who lacks a phase, or all features, is excluded with the first thing that is lacking."""
    written_store.cohort(LABELS | {"P5": 1, "P6": 0}, COHORTS | {"P5": "training", "P6": "training"})
    rows = both_phases(P1=1.0, P2=2.0, P3=3.0, P4=4.0, P5=5.0)
    del rows["P5", "DP"]
    written_store.features(rows)
    table = written_store.table(RADIOMICS)
    assert table.frame["patient"].to_list() == ["P1", "P2", "P3", "P4"]
    assert table.excluded == {"P5": "no quick in DP", "P6": "no quick in AP"}


def test_a_model_that_imputes_phases_keeps_patients_who_lack_one(written_store):
    """Features of a phase that a patient lacks are NULL; a column says who lacks it, of phases that somebody lacks."""
    written_store.cohort(LABELS | {"P5": 1, "P6": 0}, COHORTS | {"P5": "training", "P6": "training"})
    rows = both_phases(P1=1.0, P2=2.0, P3=3.0, P4=4.0, P5=5.0)
    del rows["P5", "DP"]
    written_store.features(rows)
    table = written_store.table(replace(RADIOMICS, missing_phases="impute"))
    assert table.excluded == {"P6": "no quick in any phase"}
    assert len(table.columns) == 29
    assert table.columns[-1] == "DP__phase_missing"
    assert table.frame.select("patient", f"AP__{VOLUME}", f"DP__{VOLUME}", "DP__phase_missing").rows() == [
        ("P1", 1.0, 1.5, 0.0),
        ("P2", 2.0, 2.5, 0.0),
        ("P3", 3.0, 3.5, 0.0),
        ("P4", 4.0, 4.5, 0.0),
        ("P5", 5.0, None, 1.0),
    ]


def test_a_phase_without_stable_columns_tells_of_nobody(written_store):
    """Who has only a phase of which no feature is stable has no features: left out, as by a prediction."""
    written_store.cohort(LABELS | {"P5": 1}, COHORTS | {"P5": "training"})
    rows = both_phases(P1=1.0, P2=2.0, P3=3.0, P4=4.0, P5=5.0)
    del rows["P5", "DP"]
    written_store.features(rows)
    of = {"study": "s", "split": "fixed", "feature_set": "quick@1", "phase": "DP", "kind": "intra", "patients": 5}
    written_store.put("stability", [of | {"feature": VOLUME, "icc": 0.99}])
    table = written_store.table(replace(RADIOMICS, missing_phases="impute", minimum_icc=0.9))
    assert table.columns == [f"DP__{VOLUME}"]
    assert table.excluded == {"P5": "no quick in any phase"}


def test_a_single_missing_feature_stays_null(four):
    """A feature without a value leaves its patient in, as NULL for the model's own imputation."""
    rows = both_phases(P1=1.0, P2=2.0, P3=3.0, P4=4.0)
    rows["P2", "AP"] = {VOLUME: None}
    four.features(rows)
    table = four.table(RADIOMICS)
    assert table.frame[f"AP__{VOLUME}"].to_list() == [1.0, None, 3.0, 4.0]
    assert table.excluded == {}


def test_a_factor_is_above_its_cut_point_or_equals_its_level_or_the_number_itself(four):
    """``above`` means over the cut point and not at it; ``equals`` is one level; neither is the raw number."""
    afp = {"P1": 400.0, "P2": 400.5, "P3": 3.0, "P4": 999.0}
    for patient, value in afp.items():
        four.clinical(patient, afp=value, sex="female" if patient == "P2" else "male")
    rules = ({"variable": "afp", "above": 400}, {"variable": "sex", "equals": "male"}, {"variable": "afp"})
    table = four.table(factors(*rules, {"variable": "afp", "above": 2, "name": "AFP high"}))
    assert table.columns == ["afp>400", "sex=male", "afp", "AFP high"]
    assert table.frame.select(table.columns).rows() == [
        (0.0, 1.0, 400.0, 1.0),
        (1.0, 0.0, 400.5, 1.0),
        (0.0, 1.0, 3.0, 1.0),
        (1.0, 1.0, 999.0, 1.0),
    ]
    assert set(table.frame.select(table.columns).dtypes) == {pl.Float64}


def test_a_patient_without_a_factors_value_is_left_out(written_store):
    """A factor is not imputed: whoever lacks one is excluded, and said so."""
    written_store.cohort(LABELS | {"P5": 1}, COHORTS | {"P5": "training"})
    for patient in LABELS:
        written_store.clinical(patient, afp=1.0, age=50.0)
    written_store.clinical("P5", afp=1.0)
    table = written_store.table(factors({"variable": "afp"}, {"variable": "age"}))
    assert table.excluded == {"P5": "no clinical factors"}
    assert "P5" not in table.frame["patient"]


def test_the_last_observed_value_counts(four):
    """Of several dates the latest is read, for each variable by itself, whatever order they were written in."""
    for patient in LABELS:
        four.clinical(patient, "2020-05-01", afp=5.0, age=50.0)
        four.clinical(patient, "2020-03-01", afp=3.0)
        four.clinical(patient, "2020-07-01", afp=7.0)
    table = four.table(factors({"variable": "afp"}, {"variable": "age"}))
    assert table.frame.select("afp", "age").unique().rows() == [(7.0, 50.0)]


def test_a_table_is_of_its_snapshot(four):
    """A value that was corrected later is still the old one in a snapshot of before."""
    for patient in LABELS:
        four.clinical(patient, afp=5.0)
    before = four.snapshot
    four.clinical("P1", afp=6.0)
    inputs = factors({"variable": "afp"})
    assert model_table(before, four.study, inputs).frame["afp"].to_list() == [5.0] * 4
    assert four.table(inputs).frame["afp"].to_list() == [6.0, 5.0, 5.0, 5.0]


def test_a_validation_cohort_left_with_one_class_stays(four):
    """When the exclusions leave one class in the validation cohort, what can be judged of it is judged."""
    four.features(both_phases(P1=1.0, P2=2.0, P3=3.0))
    assert four.table(RADIOMICS).of_cohort("validation")[1].to_list() == [1]


def test_a_training_cohort_left_with_one_class_is_refused(four):
    """When the exclusions leave one class in the training cohort, nothing can be fitted, and counts are named."""
    four.features(both_phases(P1=1.0, P3=3.0, P4=4.0))
    with pytest.raises(UnfitError, match=r"training cohort has only label 1 .*: 1 patients, 1 with label 1") as error:
        four.table(RADIOMICS)
    assert "failures" in error.value.hint
    assert "fixed" in error.value.where


def test_a_cohort_left_with_nobody_is_refused(four):
    """A cohort without a patient is refused too."""
    four.features(both_phases(P3=3.0, P4=4.0))
    with pytest.raises(ContractError, match="the training cohort has no patient"):
        four.table(RADIOMICS)


def test_features_that_were_never_computed_are_not_found(four):
    """Without a refresh there is nothing to train on, and the error says to refresh."""
    with pytest.raises(NotFoundError, match="'quick' has not been computed") as error:
        four.table(RADIOMICS)
    assert error.value.hint == "radzoo refresh --study s"


def test_the_studys_own_definition_is_read_not_the_newest_of_the_name(four):
    """Another study's feature set of the same name, with a higher version, is not this study's."""
    four.features(both_phases(P1=1.0, P2=2.0, P3=3.0, P4=4.0))
    other = FeatureSetDefinition.of_radiomics(RadiomicsSettings(families=("shape",), bin_width=5.0), {})
    theirs = {(patient, phase, "R9"): {VOLUME: 50.0} for patient in LABELS for phase in ("AP", "DP")}
    four.features(theirs, feature_set="quick@2", definition=other, study="s")
    assert four.table(RADIOMICS).frame[f"AP__{VOLUME}"].to_list() == [1.0, 2.0, 3.0, 4.0]
    four.edit('families = ["shape"]', 'families = ["shape"]\nbin_width = 5')
    four.put(
        "study_masks",
        [row | {"is_primary": int(row["reader"] == "R9")} for row in four.snapshot.rows("study_masks")],
    )
    assert four.table(RADIOMICS).frame[f"AP__{VOLUME}"].to_list() == [50.0] * 4


def test_a_pinned_version_is_read(four):
    """``name@N`` reads version N, of the same definition, whatever else there is."""
    four.features(both_phases(P1=1.0, P2=2.0, P3=3.0, P4=4.0))
    assert four.table(ModelInputs("fixed", "quick@1", ("AP",), ())).columns[0].startswith("AP__")
    with pytest.raises(NotFoundError, match="quick@2"):
        four.table(ModelInputs("fixed", "quick@2", ("AP",), ()))


def test_defaults_are_the_first_split_the_first_feature_set_and_all_phases(written_store):
    """What a model's table leaves out is the study's first split and feature set and every phase."""
    assert written_store.inputs("radiomics_lr") == RADIOMICS
    clinical = written_store.inputs("cr")
    assert (clinical.feature_set, clinical.phases, len(clinical.factors)) == (None, (), 3)
    assert [factor["name"] for factor in clinical.as_dict()["factors"]] == ["afp>400", "sex=male", "age"]


def test_a_models_own_settings_come_before_the_defaults(written_store):
    """A model may read one phase, another feature set and another split."""
    own = 'feature_set = "hcc-cemri@1"\nphases = ["DP"]\nsplit = "other"'
    split = '[splits.other]\nkind = "stratified"\n'
    written_store.edit("[models.radiomics_lr]", f"{split}\n[models.radiomics_lr]\n{own}")
    assert written_store.inputs("radiomics_lr") == ModelInputs("other", "hcc-cemri@1", ("DP",), ())


@pytest.mark.parametrize(
    ("old", "new", "model", "message"),
    [
        ('[splits.fixed]\nkind = "column"\ncolumn = "cohort"\n', "", "cr", "has no split"),
        ('feature_sets = ["quick"]', "", "radiomics_lr", "needs a feature set"),
        ("factors = [{", 'split = "fixed"\n# factors = [{', "cr", "needs clinical factors"),
    ],
    ids=["split", "feature set", "factors"],
)
def test_what_a_model_lacks_is_said_with_what_to_add(written_store, old, new, model, message):
    """A study file that does not give what a model needs breaks the contract."""
    written_store.edit(old, new)
    with pytest.raises(ContractError, match=message) as error:
        written_store.inputs(model)
    assert "add" in error.value.hint


def test_a_model_that_imputes_keeps_patients_who_lack_a_factor(four):
    """A factor that a patient lacks is NULL, who lacks all of them is left out; ``indicate`` says who lacks what."""
    four.clinical("P1", afp=500.0, age=50.0)
    four.clinical("P2", age=60.0)
    four.clinical("P3", afp=3.0, age=70.0)
    rules = factors({"variable": "afp", "above": 400}, {"variable": "age"})
    four.clinical("P4", sex="male")
    assert "P4" in four.table(replace(rules, missing="impute")).excluded
    four.clinical("P4", age=80.0)
    table = four.table(replace(rules, missing="impute"))
    assert table.excluded == {}
    assert table.frame.select(table.columns).rows() == [(1.0, 50.0), (None, 60.0), (0.0, 70.0), (None, 80.0)]
    indicated = four.table(replace(rules, missing="indicate"))
    assert indicated.columns == ["afp>400", "age", "afp missing"]
    assert indicated.frame["afp missing"].to_list() == [0.0, 1.0, 0.0, 1.0]
    assert "missing" not in rules.as_dict()
    assert replace(rules, missing="impute").as_dict()["missing"] == "impute"
