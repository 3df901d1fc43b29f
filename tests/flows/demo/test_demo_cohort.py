"""The demonstration cohort has the published counts, and the published models follow from them.

Unless a line says otherwise, numbers come from the tables of the study of early recurrence of hepatocellular
carcinoma after resection (165 patients), in the order training ER, training NER, validation ER, validation
NER.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtri
from sklearn.metrics import roc_auc_score

from flows.demo.cohort import published_cohort, reread_patients
from flows.demo.laboratory import GradedCurve, normal_scores
from flows.demo.lesions import aggressiveness, lesion_traits, patient_seed
from flows.demo.published import FACTORS, GROUPS, factor_named

COUNTS = {
    "sex = 'male'": (68, 43, 15, 12),
    "hepatitis = 'yes'": (61, 40, 11, 10),
    "afp > 400": (21, 6, 3, 1),
    "alt > 50": (26, 12, 5, 4),
    "ast > 40": (36, 13, 4, 3),
    "ggt > 60": (42, 20, 7, 7),
    "tbil > 19": (25, 13, 4, 0),
    "alb > 40": (49, 37, 14, 8),
    "child_pugh = 'B'": (7, 5, 0, 0),
    "diameter_mm > 50": (30, 10, 10, 1),
    "tumour_number > 1": (12, 5, 4, 1),
    "margin = 'non-smooth'": (34, 20, 8, 3),
    "necrosis = 'present'": (30, 17, 8, 7),
    "haemorrhage = 'present'": (24, 11, 9, 2),
    "capsule = 'present'": (56, 44, 15, 11),
    "peritumoral_enhancement = 'present'": (25, 13, 5, 7),
    "cirrhosis = 'present'": (54, 35, 9, 8),
}
TRAINING_P = dict(
    zip(
        COUNTS,
        (
            *(0.355, 0.733, 0.046, 0.234, 0.016, 0.084, 0.424, 0.624, 1.0, 0.024),
            *(0.442, 0.567, 0.523, 0.258, 0.284, 0.424, 0.731),
        ),
        strict=True,
    )
)
JOINT = ((15, 21, 15, 27), (4, 9, 6, 35), (2, 2, 8, 6), (1, 2, 0, 12))
AGES = ((58.35, 10.59), (58.38, 10.60), (57.81, 10.84), (56.81, 10.26))

AST, DIAMETER, AFP = "ast > 40", "diameter_mm > 50", "afp > 400"


@pytest.fixture(scope="module")
def cohort() -> pl.DataFrame:
    """Return the default demonstration cohort with its label."""
    return labelled(published_cohort())


def labelled(cohort: pl.DataFrame) -> pl.DataFrame:
    """Return the cohort with the label: recurrence within 24 months."""
    early = (pl.col("recurrence") == 1) & (pl.col("recurrence_free_months") <= 24)
    return cohort.with_columns(er=early.cast(pl.Int64))


def groups_of(cohort: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the four groups in the order of the tables."""
    return [
        cohort.filter((pl.col("cohort") == name) & (pl.col("er") == er))
        for name in ("training", "validation")
        for er in (1, 0)
    ]


def indicator(rows: pl.DataFrame, condition: str) -> np.ndarray:
    """Return 1.0 for the patients who fulfil an SQL condition and 0.0 for the others."""
    return rows.select(pl.sql_expr(condition).cast(pl.Float64)).to_series().to_numpy()


def fitted(rows: pl.DataFrame, conditions: list[str]) -> sm.Logit:
    """Return the maximum likelihood logistic regression of the label on the conditions."""
    X = sm.add_constant(np.column_stack([indicator(rows, each) for each in conditions]))
    return sm.Logit(rows["er"].to_numpy(), X).fit(disp=0)


def training(cohort: pl.DataFrame) -> pl.DataFrame:
    """Return the training patients."""
    return cohort.filter(pl.col("cohort") == "training")


def test_the_groups_have_the_published_sizes(cohort: pl.DataFrame) -> None:
    """165 patients: 96 with and 69 without early recurrence, 132 to train on, 74 of them all at 1.5 T."""
    assert [rows.height for rows in groups_of(cohort)] == [78, 54, 18, 15]
    assert cohort["patient"].n_unique() == 165
    assert dict(cohort["field_strength_t"].value_counts().iter_rows()) == {1.5: 74, 3.0: 91}


@pytest.mark.parametrize("condition", COUNTS)
def test_every_factor_has_the_published_counts(cohort: pl.DataFrame, condition: str) -> None:
    """Dichotomised at the study's cut point, a factor gives the printed count in each group."""
    assert tuple(int(indicator(rows, condition).sum()) for rows in groups_of(cohort)) == COUNTS[condition]


def test_ast_and_diameter_have_the_joint_counts_that_the_models_need(cohort: pl.DataFrame) -> None:
    """AST by diameter gives, in each group, the only table that fits the printed models."""
    for rows, expected in zip(groups_of(cohort), JOINT, strict=True):
        ast, large = indicator(rows, AST) == 1, indicator(rows, DIAMETER) == 1
        cells = (ast & large, ast & ~large, ~ast & large, ~ast & ~large)
        assert tuple(int(cell.sum()) for cell in cells) == expected


def test_ages_have_the_printed_mean_and_deviation(cohort: pl.DataFrame) -> None:
    """Mean and sample deviation of age agree with the printed values to two decimals, and ages are adult."""
    for rows, (mean, deviation) in zip(groups_of(cohort), AGES, strict=True):
        assert (round(rows["age"].mean(), 2), round(rows["age"].std(), 2)) == (mean, deviation)
    assert cohort["age"].is_between(25, 88).all()


def test_age_does_not_differ_by_rank_as_the_study_prints(cohort: pl.DataFrame) -> None:
    """The Mann-Whitney p of age in training is near the printed .604, and age has no logistic effect."""
    rows = training(cohort)
    recurred, others = (rows.filter(pl.col("er") == er)["age"].to_numpy() for er in (1, 0))
    assert stats.mannwhitneyu(recurred, others).pvalue == pytest.approx(0.604, abs=0.02)
    age = sm.Logit(rows["er"].to_numpy(), sm.add_constant(rows["age"].to_numpy())).fit(disp=0)
    assert age.pvalues[1] > 0.5


@pytest.mark.parametrize("condition", COUNTS)
def test_every_factor_has_the_printed_p(cohort: pl.DataFrame, condition: str) -> None:
    """The chi-square test with Yates' correction gives the printed p of the training cohort."""
    rows = training(cohort)
    positive, early = indicator(rows, condition), rows["er"].to_numpy()
    counts = [[((positive == level) & (early == er)).sum() for er in (1, 0)] for level in (1, 0)]
    assert round(float(stats.chi2_contingency(counts).pvalue), 3) == TRAINING_P[condition]


@pytest.mark.parametrize(
    ("condition", "odds_ratio", "low", "high"),
    [(AST, 2.70, 1.26, 5.82), (DIAMETER, 2.75, 1.21, 6.27), (AFP, 2.95, 1.10, 7.89)],
)
def test_three_factors_have_the_printed_odds_ratio(
    cohort: pl.DataFrame, condition: str, odds_ratio: float, low: float, high: float
) -> None:
    """Univariable logistic regression on training gives the printed odds ratio and interval."""
    model = fitted(training(cohort), [condition])
    found = (np.exp(model.params[1]), *np.exp(model.conf_int()[1]))
    assert tuple(round(float(each), 2) for each in found) == (odds_ratio, low, high)
    assert model.pvalues[1] < 0.05


@pytest.mark.parametrize("condition", [each for each in COUNTS if each not in (AST, DIAMETER, AFP)])
def test_no_other_factor_enters_the_multivariable_step(cohort: pl.DataFrame, condition: str) -> None:
    """The other 14 factors have a univariable Wald p of .05 or more."""
    assert fitted(training(cohort), [condition]).pvalues[1] >= 0.05


def test_backward_elimination_drops_afp_and_ends_at_ast_and_diameter(cohort: pl.DataFrame) -> None:
    """Of AST, diameter and AFP, AFP is the first and only factor that backward elimination removes."""
    kept = [AST, DIAMETER, AFP]
    removed = []
    while (p := fitted(training(cohort), kept).pvalues[1:]).max() >= 0.05:
        removed.append(kept.pop(int(p.argmax())))
    assert removed == [AFP]
    assert kept == [AST, DIAMETER]


def test_the_clinical_model_has_the_published_coefficients_and_discrimination(cohort: pl.DataFrame) -> None:
    """The two-variable model has the study's coefficients, p values and both areas under the curve."""
    model = fitted(training(cohort), [AST, DIAMETER])
    assert model.params == pytest.approx([-0.201581, 0.911873, 0.919251], abs=5e-7)
    assert [round(float(p), 3) for p in model.pvalues[1:]] == [0.022, 0.032]
    for name, area in (("training", 0.66168), ("validation", 0.75185)):
        rows = cohort.filter(pl.col("cohort") == name)
        X = sm.add_constant(np.column_stack([indicator(rows, AST), indicator(rows, DIAMETER)]))
        assert round(float(roc_auc_score(rows["er"].to_numpy(), model.predict(X))), 5) == area


def test_follow_up_gives_every_patient_a_label_at_24_months(cohort: pl.DataFrame) -> None:
    """Early recurrences are events within 24 months; everyone else is followed beyond."""
    early = pl.col("er") == 1
    assert cohort.filter(early)["recurrence_free_months"].is_between(0, 24, closed="right").all()
    assert (cohort.filter(~early)["recurrence_free_months"] > 24).all()
    assert cohort.filter(~early)["recurrence"].n_unique() == 2


def test_examinations_lie_within_two_weeks_before_resection(cohort: pl.DataFrame) -> None:
    """MRI and laboratory are dated 1 to 14 days before the resection."""
    for row in cohort.iter_rows(named=True):
        resection = date.fromisoformat(row["resection_date"])
        for examination in ("mri_date", "lab_date"):
            assert 1 <= (resection - date.fromisoformat(row[examination])).days <= 14


def test_values_are_plausible_for_resected_patients(cohort: pl.DataFrame) -> None:
    """Values lie in clinical ranges, laboratory values are right skewed, and few tumours have spread."""
    ranges = {
        "afp": (0.5, 60000),
        "alt": (5, 400),
        "ast": (8, 400),
        "ggt": (8, 900),
        "tbil": (3, 60),
        "alb": (28, 56),
        "diameter_mm": (18, 100),
        "neutrophils": (0.8, 12),
        "lymphocytes": (0.4, 5),
        "monocytes": (0.1, 1.6),
        "platelets": (30, 600),
        "ecog_ps": (0, 1),
    }
    for column, (low, high) in ranges.items():
        assert cohort[column].is_between(low, high).all(), column
    for column in ("afp", "alt", "ast", "ggt", "tbil"):
        assert cohort[column].mean() > cohort[column].median(), column
    assert (cohort["vascular_invasion"] == "present").sum() <= 5
    assert (cohort["extrahepatic_spread"] == "absent").all()
    second = cohort["second_diameter_mm"]
    assert (second.is_null() == (cohort["tumour_number"] == 1)).all()
    assert (second.drop_nulls() <= cohort.filter(second.is_not_null())["diameter_mm"]).all()


def test_values_that_medicine_links_are_correlated(cohort: pl.DataFrame) -> None:
    """AST goes with ALT and GGT, AFP with size, and albumin against bilirubin."""
    for one, other, low, high in (
        ("ast", "alt", 0.5, 0.95),
        ("ast", "ggt", 0.1, 0.8),
        ("afp", "diameter_mm", 0.2, 0.8),
        ("tbil", "alb", -0.7, -0.1),
    ):
        rho = stats.spearmanr(cohort[one].to_numpy(), cohort[other].to_numpy()).statistic
        assert low < rho < high, (one, other)


def test_values_come_close_to_their_cut_points_from_both_sides(cohort: pl.DataFrame) -> None:
    """No gap around a cut point gives the dichotomy away: there are values close to it on both sides."""
    for factor in FACTORS:
        if factor.cut is None or factor.column == "tumour_number":
            continue
        values = cohort[factor.column]
        near = 0.3 if factor.column == "afp" else 0.1
        assert values.is_between(factor.cut * (1 - near), factor.cut).any(), factor.column
        assert values.filter(values > factor.cut).min() < factor.cut * (1 + near), factor.column


def test_the_cohort_is_deterministic_and_the_counts_hold_for_any_seed(cohort: pl.DataFrame) -> None:
    """The same seed gives the same patients; another gives others with the same counts."""
    assert labelled(published_cohort()).equals(cohort)
    for seed in (1, 2, 3):
        other = labelled(published_cohort(seed))
        assert not other.equals(cohort)
        for condition, counts in COUNTS.items():
            assert tuple(int(indicator(rows, condition).sum()) for rows in groups_of(other)) == counts


def test_pseudonyms_reveal_neither_cohort_nor_outcome(cohort: pl.DataFrame) -> None:
    """The order of the pseudonyms discriminates neither recurrence nor cohort."""
    assert cohort["patient"].to_list() == [f"HCC-{number:03d}" for number in range(1, 166)]
    order = np.arange(165)
    assert 0.38 < roc_auc_score(cohort["er"].to_numpy(), order) < 0.62
    assert 0.38 < roc_auc_score((cohort["cohort"] == "training").to_numpy(), order) < 0.62


def test_thirty_training_patients_are_read_again(cohort: pl.DataFrame) -> None:
    """The patients of the second readings are 30 different ones, all in training, always the same."""
    chosen = reread_patients(cohort)
    assert len(set(chosen)) == 30
    assert set(chosen) <= set(training(cohort)["patient"])
    assert chosen == reread_patients(cohort.reverse())


def test_published_groups_and_factors_agree_with_the_tables(cohort: pl.DataFrame) -> None:
    """The counts kept as data are those of the tables, and a factor knows its positive patients."""
    assert [group.ast_by_diameter for group in GROUPS] == list(JOINT)
    assert [factor.counts for factor in FACTORS] == list(COUNTS.values())
    assert cohort.filter(factor_named("margin").positive()).height == 34 + 20 + 8 + 3


def test_latent_aggressiveness_is_a_modest_signal(cohort: pl.DataFrame) -> None:
    """Knowing z exactly gives an AUC around Phi(1 / sqrt 2) = .76; what the image shows of it gives less."""
    rows = cohort.to_dicts()
    early = cohort["er"].to_numpy()
    area = roc_auc_score(early, [aggressiveness(row) for row in rows])
    assert 0.68 < area < 0.85
    for trait in ("heterogeneity", "coarseness_mm", "irregularity"):
        assert 0.5 < roc_auc_score(early, [getattr(lesion_traits(row), trait) for row in rows]) < area


def test_what_the_image_shows_beyond_z_does_not_know_of_recurrence(cohort: pl.DataFrame) -> None:
    """Moving a patient's event shifts z by the declared amount, and leaves seed and enhancement alone."""
    row = cohort.filter(pl.col("er") == 1).to_dicts()[0]
    without = row | {"recurrence": 0, "recurrence_free_months": 60.0}
    assert aggressiveness(row) - aggressiveness(without) == pytest.approx(1.0)
    assert patient_seed(row["patient"]) == patient_seed(without["patient"])
    for trait in ("diameter_mm", "arterial_ratio", "washout", "necrosis", "haemorrhage", "capsule"):
        assert getattr(lesion_traits(row), trait) == getattr(lesion_traits(without), trait)


@settings(max_examples=60, deadline=None)
@given(
    positive=st.lists(st.booleans(), min_size=1, max_size=60),
    share=st.floats(0.02, 0.98),
    curve=st.sampled_from(
        [
            GradedCurve(cut=40.0, spread=0.6, decimals=0, low=8.0),
            GradedCurve(cut=40.0, spread=4.0, decimals=1),
            GradedCurve(cut=50.0, spread=0.9, decimals=0, low=18.0, high=100.0),
        ]
    ),
    seed=st.integers(0, 2**32),
)
def test_exactly_the_positive_patients_lie_above_the_cut(
    positive: list[bool], share: float, curve: GradedCurve, seed: int
) -> None:
    """However rare the positive patients are, they alone lie above the cut point, rounding included."""
    mask = np.array(positive)
    rng = np.random.default_rng(seed)
    scores = normal_scores(rng, rng.standard_normal(len(mask)), mask, share)
    assert ((scores > ndtri(1 - share)) == mask).all()
    assert ((curve.values(scores, share) > curve.cut) == mask).all()
