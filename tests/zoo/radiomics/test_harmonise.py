"""ComBat: neuroCombat's numbers, what training may see, batches that are small, single or unseen, pipelines, tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from schemas.errors import ContractError
from schemas.study.models import ModelSettings
from zoo.models.summary import model_summary
from zoo.models.training import fit_and_save_model, plan_training
from zoo.radiomics.combat import ComBatHarmoniser
from zoo.registry import model_spec
from zoo.saving.persist import load_model, save_model

BATCH = "batch=field_strength_t"


def three_batches() -> tuple[np.ndarray, np.ndarray]:
    """Return six features of 21 patients, and the field strength that shifted and scaled them."""
    random = np.random.default_rng(2007)
    batch = np.array([1.5] * 7 + [3.0] * 9 + [1.0] * 5)
    X = random.normal(size=(21, 6)) * [1, 2, 0.5, 10, 1, 3] + [0, 5, -2, 100, 0, 1]
    X[batch == 3.0] = X[batch == 3.0] * 1.4 + [0.5, 1, 0, 10, -1, 2]
    X[batch == 1.0] *= 0.8
    return X, batch


def table_of(X: np.ndarray, batch: np.ndarray) -> pl.DataFrame:
    """Return features with the batch column, in the middle so that no position is taken for granted."""
    frame = pl.DataFrame(X, schema=[f"PVP__f{column}" for column in range(X.shape[1])], orient="row")
    frame = frame.with_columns(pl.Series(BATCH, batch))
    return frame.select(*frame.columns[:2], BATCH, *frame.columns[2:-1])


@parametrize_with_checks([ComBatHarmoniser()])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    """Without a batch column, which scikit-learn's random tables cannot have, all checks of a transformer pass."""
    check(estimator)


def test_who_lacks_a_phase_stays_0_and_1() -> None:
    """The column that says so is no measurement; the features beside it are harmonised as without it."""
    X, batch = three_batches()
    lacks = np.random.default_rng(1).integers(0, 2, 21).astype(float)
    table = table_of(X, batch)
    with_it = table.with_columns(pl.Series("PVP__phase_missing", lacks))
    adjusted = ComBatHarmoniser(BATCH).fit_transform(with_it)
    np.testing.assert_allclose(adjusted[:, -1], lacks, atol=1e-12)
    np.testing.assert_array_equal(adjusted[:, :-1], ComBatHarmoniser(BATCH).fit_transform(table))


def test_numbers_are_those_of_neurocombat() -> None:
    """Adjusted values and estimates are those of neuroCombat 0.2.12 (MIT), its iteration run to 1e-13."""
    X, batch = three_batches()
    harmoniser = ComBatHarmoniser(BATCH)
    adjusted = harmoniser.fit_transform(table_of(X, batch))

    assert harmoniser.batches_.tolist() == [1.0, 1.5, 3.0]
    # fmt: off
    np.testing.assert_allclose(adjusted[[0, 7, 20]], [
        [0.2791942227, 8.3167936893, -2.813578006, 114.1779318892, 0.0637695324, -0.766733842],
        [0.7011368609, 7.3238585047, -2.3188873902, 108.1957762077, -0.5253368286, 0.602567603],
        [0.2873697753, 5.5172675187, -3.0156248871, 103.7777586049, 0.389984642, 2.1677077629],
    ], rtol=1e-7)
    np.testing.assert_allclose(harmoniser.shift_, [
        [-0.5693514006, -0.4701312648, 1.1376940422, -4.2862795508, 0.0583277956, -0.0958437504],
        [-0.1402526122, -0.4014678159, 0.7280433117, -1.2024147179, 0.5541782609, -0.4882162734],
        [0.4278496025, 0.6000820245, -1.2910217764, 3.3236793215, -0.4903139076, 0.4872965019],
    ], rtol=1e-7)
    np.testing.assert_allclose(harmoniser.spread_, [
        [0.3263158539, 0.4564760385, 0.4310803071, 0.4714359277, 0.3367205544, 0.344413479],
        [0.9124322059, 0.9410639418, 1.2999007993, 0.872246073, 0.809293601, 1.1617623085],
        [1.6388781943, 1.5826823467, 1.4526102288, 1.6198943301, 1.6815085093, 1.5296799541],
    ], rtol=1e-7)
    # fmt: on


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), unit=st.floats(1e-3, 1e3))
def test_units_do_not_matter(seed: int, unit: float) -> None:
    """A feature in other units comes out in those units, and the order of patients plays no part."""
    X, batch = three_batches()
    order = np.random.default_rng(seed).permutation(len(X))
    adjusted = ComBatHarmoniser(BATCH).fit_transform(table_of(X, batch))
    other = ComBatHarmoniser(BATCH).fit_transform(table_of((X * unit + 3 * unit)[order], batch[order]))
    np.testing.assert_allclose(other, (adjusted * unit + 3 * unit)[order], rtol=1e-6, atol=1e-6 * unit)


def test_a_shift_between_scanners_is_removed() -> None:
    """With enough patients the batches' means and spreads agree afterwards, where they were far apart."""
    random = np.random.default_rng(1)
    batch = np.repeat([1.5, 3.0], 100)
    X = random.normal(size=(200, 30)) * np.where(batch == 3.0, 2.0, 1.0)[:, None] + 4.0 * (batch == 3.0)[:, None]
    adjusted = ComBatHarmoniser(BATCH).fit_transform(table_of(X, batch))
    low, high = adjusted[batch == 1.5], adjusted[batch == 3.0]
    assert np.abs(low.mean(axis=0) - high.mean(axis=0)).mean() < 0.2
    assert (low.std(axis=0) / high.std(axis=0)).mean() == pytest.approx(1.0, abs=0.05)


def test_other_patients_do_not_count() -> None:
    """A new patient is placed by the training patients' estimates alone, whoever comes with them and in what number."""
    X, batch = three_batches()
    table = table_of(X, batch)
    harmoniser = ComBatHarmoniser(BATCH).fit(table)
    together = harmoniser.transform(table)
    for row in (0, 9, 20):
        np.testing.assert_array_equal(harmoniser.transform(table[row : row + 1])[0], together[row])
    np.testing.assert_array_equal(ComBatHarmoniser(BATCH).fit(table, np.arange(21) % 2).transform(table), together)


def test_constant_columns_stay_as_they_are() -> None:
    """A column without spread within the batches is returned as it was and does not disturb the others' prior."""
    X, batch = three_batches()
    with_constant = np.column_stack([X, np.full(21, 0.1)])
    adjusted = ComBatHarmoniser(BATCH).fit_transform(table_of(with_constant, batch))
    np.testing.assert_allclose(adjusted[:, 6], 0.1)
    np.testing.assert_allclose(adjusted[:, :6], ComBatHarmoniser(BATCH).fit_transform(table_of(X, batch)))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([1.5] * 19 + [3.0] * 2, "fewer than 3 training patients have field_strength_t = 3"),
        ([1.5] * 21, "all training patients have field_strength_t = 1.5"),
    ],
)
def test_batches_that_cannot_be_estimated(batch: list[float], message: str) -> None:
    """A batch of two patients and a single batch are refused by name."""
    X, _ = three_batches()
    with pytest.raises(ContractError, match=message) as error:
        ComBatHarmoniser(BATCH).fit(table_of(X, np.array(batch)))
    assert "harmonise" in str(error.value.hint)


def test_an_unseen_batch_is_refused() -> None:
    """A patient of a scanner that training did not have is no guess: the batch is named with those there were."""
    X, batch = three_batches()
    harmoniser = ComBatHarmoniser(BATCH).fit(table_of(X, batch))
    with pytest.raises(ContractError, match=r"no training patient has field_strength_t = 7: training had 1, 1.5, 3"):
        harmoniser.transform(table_of(X[:1], np.array([7.0])))
    with pytest.raises(ContractError, match="no column"):
        ComBatHarmoniser("batch=site").fit(table_of(X, batch))


@pytest.mark.parametrize("name", ["radiomics_lr", "rcr"])
def test_a_pipeline_learns_through_the_scanners(name: str, tmp_path: Any) -> None:
    """Where a scanner hides the signal, the harmonised model ranks new patients better, and never sees the batch."""
    random = np.random.default_rng(3)
    y, batch = np.arange(160) % 2, np.where(np.arange(160) % 4 < 2, 1.5, 3.0)
    X = random.normal(size=(160, 12)) + 6.0 * (batch == 3.0)[:, None]
    X[:, 0] += 1.2 * y
    X[5, 4] = np.nan
    table = table_of(X, batch).fill_nan(None)
    if name == "rcr":
        table = table.with_columns(pl.Series("ast>40", (random.random(160) < 0.3 + 0.3 * y).astype(float)))
    spec = model_spec(name)
    model = spec.build(ModelSettings(harmonise="field_strength_t"), random_state=0).fit(table[:100], y[:100])
    plain = spec.build(ModelSettings(), random_state=0).fit(table[:100].drop(BATCH), y[:100])

    def rank(fitted: Any, rows: pl.DataFrame) -> float:
        probabilities = fitted.predict_proba(rows)[:, 1]
        return float(np.mean(probabilities[y[100:] == 1][:, None] > probabilities[y[100:] == 0][None, :]))

    assert rank(model, table[100:]) > rank(plain, table[100:].drop(BATCH)) + 0.02
    assert BATCH not in [str(column) for column in model.estimator_[:-1].get_feature_names_out()]
    counts = model_summary(model)["columns_after"]
    assert counts["harmonise"] == counts["impute"] - 1
    loaded = load_model(tmp_path / "m", save_model(tmp_path / "m", model, {})).estimator
    np.testing.assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))


def harmonised_cohort(written: Any, settings: str) -> None:
    """Give 90 patients a field strength and a site, and let the radiomics model harmonise."""
    written.edit(
        "[clinical.variables]", '[clinical.variables]\nsite = { levels = ["north", "south"] }\nt = { unit = "T" }'
    )
    written.edit("[models.radiomics_lr]", f"[models.radiomics_lr]\n{settings}")
    rows = []
    for number in range(90):
        row = {"patient": f"P{number:02}", "observed_at": ""}
        rows.append(row | {"variable": "site", "value": None, "level": "south" if number % 3 else "north"})
        if number != 7:
            rows.append(row | {"variable": "t", "value": 3.0 if number % 2 else 1.5, "level": None})
    written.put("clinical", rows)


def test_the_batch_travels_in_the_table(cohort_of_90: Any) -> None:
    """The variable is the table's last column, a number as it is; who has no value is left out by name."""
    harmonised_cohort(cohort_of_90, 'harmonise = "t"')
    inputs = cohort_of_90.inputs("radiomics_lr")
    table = cohort_of_90.table(inputs)
    assert table.columns[-1] == "batch=t"
    assert set(table.frame["batch=t"]) == {1.5, 3.0}
    assert table.excluded == {"P07": "no t"}
    assert inputs.as_dict()["harmonise"] == "t"


def test_levels_are_coded_in_the_study_files_order(cohort_of_90: Any) -> None:
    """A category's batches are the numbers of its levels, and the model trains, keeps a version and is reproducible."""
    harmonised_cohort(cohort_of_90, "")
    before = plan_training(cohort_of_90.snapshot, cohort_of_90.study, "radiomics_lr")
    cohort_of_90.edit("[models.radiomics_lr]", '[models.radiomics_lr]\nharmonise = "site"')
    plan = plan_training(cohort_of_90.snapshot, cohort_of_90.study, "radiomics_lr")
    assert plan.training_sha256 != before.training_sha256
    codes = dict(plan.table.frame.select("patient", "batch=site").iter_rows())
    assert (codes["P00"], codes["P01"]) == (0.0, 1.0)
    row = fit_and_save_model(cohort_of_90.store, cohort_of_90.study, plan, "2026-01-01T00:00:00+00:00").row
    assert '"harmonise":' in row["summary"]
