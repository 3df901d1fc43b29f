"""The clinical model of the published cohort, from study file to SQL: the paper's printed figures.

Figures: the paper's Table 3 and the CR row of its Table 4, as kept in study-facts 3.
"""

import json

import pytest
from builders.cohorts import write_published_study
from builders.store import rows_of
from sklearn.metrics import roc_auc_score

from flows.bench.run import bench
from flows.cli.main import exit_code
from flows.demo.published import FACTORS
from flows.ingest.run import ingest
from store.home import Store


@pytest.fixture(scope="module")
def benched(tmp_path_factory, tiny_images, prefect_server):
    """Return the store of the published cohort, ingested, trained and judged by the real flows."""
    file, root = write_published_study(tmp_path_factory.mktemp("published"), tiny_images)
    report = ingest(file, root, workers=1)
    assert (report.patients, report.labelled, report.events, report.failures) == (165, 165, 96, ())
    store = Store(root)
    found = bench(store)
    assert [(each.model, each.trained, each.excluded) for each in found.trained] == [("cr", True, 0)]
    return store


PRINTED = {
    # AUC and its plain DeLong interval, sensitivity and specificity at the training threshold.
    "training": (132, 78, 0.66168, 0.57399, 0.74937, 0.654, 0.648),
    "validation": (33, 18, 0.75185, 0.59319, 0.91051, 0.667, 0.800),
}


@pytest.mark.parametrize("cohort", PRINTED)
def test_the_leaderboard_has_the_papers_figures(benched, cohort):
    """AUC, DeLong interval, sensitivity and specificity of the clinical model are those that the paper prints."""
    (row,) = rows_of(benched, f"from leaderboard where model = 'cr' and cohort = '{cohort}'")
    n, events, auc, low, high, sensitivity, specificity = PRINTED[cohort]
    assert (row["n"], row["events"], row["suite"]) == (n, events, "holdout")
    assert row["auc"] == pytest.approx(auc, abs=5e-6)
    assert row["auc_delong_lo"] == pytest.approx(low, abs=5e-6)
    assert row["auc_delong_hi"] == pytest.approx(high, abs=5e-6)
    assert row["sensitivity"] == pytest.approx(sensitivity, abs=5e-4)
    assert row["specificity"] == pytest.approx(specificity, abs=5e-4)


def test_the_model_has_the_papers_two_factors(benched):
    """AST over 40 and diameter over 50 mm stay, with odds ratios 2.489 and 2.507; AFP enters and drops out."""
    query = "select unnest(from_json(summary->'multivariable', '[\"json\"]')) effect from models"
    effects = rows_of(
        benched, f"select effect->>'factor' f, round((effect->>'odds_ratio')::double, 3) r from ({query}) order by f"
    )
    assert effects == [{"f": "ast>40", "r": 2.489}, {"f": "diameter_mm>50", "r": 2.507}]
    (removed,) = rows_of(benched, "select summary->'removed' r from models")
    assert "afp>400" in removed["r"]


def test_training_and_validation_do_not_differ(benched):
    """The unpaired DeLong test of training against validation: D -0.97491, p 0.33401 (pROC; the paper prints .334)."""
    (row,) = rows_of(benched, "from comparisons where kind = 'unpaired'")
    assert (row["cohort"], row["kind"]) == ("training-validation", "unpaired")
    assert row["model_a"] == row["model_b"] == "cr"
    assert row["statistic"] == pytest.approx(-0.97491, abs=5e-6)
    assert row["p"] == row["p_holm"] == pytest.approx(0.33401, abs=5e-6)


def test_sql_makes_the_leaderboard_again_from_the_predictions(benched):
    """AUC by the rank formula, sensitivity and specificity by counting: predictions alone give every figure."""
    again = rows_of(
        benched,
        """
        with ranked as (
            select *, rank() over w + (count(*) over same - 1) / 2 as midrank from predictions
            window w as (partition by model, cohort order by probability),
                   same as (partition by model, cohort, probability)
        )
        select p.cohort, count(*) n, sum(p.label)::bigint events,
            (sum(midrank) filter (p.label = 1) - sum(p.label) * (sum(p.label) + 1) / 2)
                / (sum(p.label) * (count(*) - sum(p.label))) auc,
            avg((p.probability >= l.threshold)::int) filter (p.label = 1) sensitivity,
            avg((p.probability < l.threshold)::int) filter (p.label = 0) specificity,
            avg(((p.probability >= l.threshold)::int = p.label)::int) accuracy,
            avg((p.probability - p.label) ** 2) brier
        from ranked p join leaderboard l using (study, suite, model, cohort)
        group by p.cohort order by p.cohort
        """,
    )
    stored = rows_of(
        benched,
        "select cohort, n, events, auc, sensitivity, specificity, accuracy, brier from leaderboard order by cohort",
    )
    assert [row.pop("cohort") for row in again] == [row.pop("cohort") for row in stored] == ["training", "validation"]
    for mine, theirs in zip(again, stored, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-12)


def test_predictions_are_one_a_patient_with_the_label_of_the_study(benched):
    """Every patient of the split is judged once, with the label that the study derived."""
    (row,) = rows_of(
        benched,
        "select count(*) n, count(distinct patient) k, sum((p.label = l.label)::int)::bigint same, "
        "sum((s.cohort = p.cohort)::int)::bigint at_home "
        "from predictions p join labels l using (study, patient) join splits s using (study, patient)",
    )
    assert row == {"n": 165, "k": 165, "same": 165, "at_home": 165}


def test_a_second_bench_changes_nothing(benched):
    """With nothing new there is no training, no commit and no Prefect run."""
    commits = rows_of(benched, "from commits")
    found = bench(benched)
    assert (found.commit_id, found.trained[0].trained, found.trained[0].version) == (None, False, 1)
    assert rows_of(benched, "from commits") == commits


def test_train_and_bench_answer_in_json(benched, capsys):
    """The verbs report what they did: nothing was trained, and the leaderboard is the one that SQL gives."""
    store = ["--json", "--store", str(benched.root)]
    # Named twice, it is one model.
    assert exit_code([*store, "train", "cr", "cr"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert (report["model"], report["version"], report["trained"], report["patients"]) == ("cr", 1, False, 165)
    assert exit_code([*store, "bench"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["suite"], found["commit_id"]) == ("holdout", None)
    beside = "sensitivity_lo, sensitivity_hi, specificity_lo, specificity_hi, is_stale"
    rows = rows_of(benched, f"select * exclude ({beside}) from leaderboard order by cohort")
    assert sorted(found["leaderboard"], key=lambda row: row["cohort"]) == rows


# The paper's Table 1, training, in the order of study-facts 2; study-facts says that all 17 are chi-square with Yates.
PRINTED_P = {
    ("sex", "male"): 0.355,
    ("hepatitis", "yes"): 0.733,
    ("afp", ">400"): 0.046,
    ("alt", ">50"): 0.234,
    ("ast", ">40"): 0.016,
    ("ggt", ">60"): 0.084,
    ("tbil", ">19"): 0.424,
    ("alb", ">40"): 0.624,
    ("child_pugh", "B"): 1.000,
    ("diameter_mm", ">50"): 0.024,
    ("tumour_number", ">1"): 0.442,
    ("margin", "non-smooth"): 0.567,
    ("necrosis", "present"): 0.523,
    ("haemorrhage", "present"): 0.258,
    ("capsule", "present"): 0.284,
    ("peritumoral_enhancement", "present"): 0.424,
    ("cirrhosis", "present"): 0.731,
}


@pytest.mark.parametrize(("variable", "level"), PRINTED_P)
def test_table_one_has_the_papers_p_values(benched, variable, level):
    """Each of the 17 categories has the p that the paper prints for the training cohort, to its three digits."""
    (row,) = rows_of(
        benched,
        "select *, if(test = 'chi-square-yates', p, other_p) as yates_p from table_one "
        f"where cohort = 'training' and variable = '{variable}' and level = '{level}'",
    )
    assert "chi-square-yates" in (row["test"], row["other_test"])
    assert row["yates_p"] == pytest.approx(PRINTED_P[variable, level], abs=5e-4)


def test_table_one_has_the_papers_counts_and_ages(benched):
    """Counts of every level, and mean and SD of age, are the paper's in all four groups (study-facts 2)."""
    counts = {
        (row["variable"], row["level"], row["cohort"]): (row["count_events"], row["count_others"])
        for row in rows_of(benched, "from table_one where kind != 'number'")
    }
    for factor in FACTORS:
        level = f">{factor.cut:g}" if factor.cut is not None else factor.level
        found = [counts[factor.column, level, cohort] for cohort in ("training", "validation")]
        assert (*found[0], *found[1]) == factor.counts
    ages = rows_of(benched, "from table_one where variable = 'age' and cohort not like '%-%' order by cohort")
    printed = {"training": (58.35, 10.59, 58.38, 10.60), "validation": (57.81, 10.84, 56.81, 10.26)}
    for row in ages:
        shown = tuple(row[name] for name in ("mean_events", "sd_events", "mean_others", "sd_others"))
        assert shown == pytest.approx(printed[row["cohort"]], abs=5e-3)
        assert {row["test"], row["other_test"]} == {"welch-t", "mann-whitney"}
    (training,) = (row for row in ages if row["cohort"] == "training")
    # The paper compared age by the rank-sum test and prints .604 (study-facts 3).
    by_rank = training["p"] if training["test"] == "mann-whitney" else training["other_p"]
    assert by_rank == pytest.approx(0.604, abs=5e-4)


def test_table_one_takes_fishers_test_where_few_are_expected(benched):
    """Child-Pugh B, 7 and 5 of 132: under five are expected in a cell, so Fisher's p stands first, Yates' beside it."""
    tests = rows_of(benched, "select variable, test from table_one where cohort = 'training' and test = 'fisher'")
    assert {row["variable"] for row in tests} >= {"child_pugh"}
    (afp,) = rows_of(benched, "from table_one where cohort = 'training' and level = '>400'")
    assert (afp["test"], afp["other_test"]) == ("chi-square-yates", "fisher")


# The paper's Table 3 as kept in study-facts 3: odds ratio, interval, p where it is printed, and their digits.
PRINTED_EFFECTS = {
    ("univariable", "ast>40"): (2.70, 1.26, 5.82, None),
    ("univariable", "diameter_mm>50"): (2.75, 1.21, 6.27, None),
    ("univariable", "afp>400"): (2.95, 1.10, 7.89, 0.03),
    ("multivariable", "ast>40"): (2.489, 1.14, 5.44, 0.022),
    ("multivariable", "diameter_mm>50"): (2.507, 1.08, 5.82, 0.032),
}


@pytest.mark.parametrize(("step", "factor"), PRINTED_EFFECTS)
def test_effects_are_the_papers_odds_ratios(benched, step, factor):
    """Odds ratio, interval and p of each factor that the paper prints, to the printed digits, by SQL."""
    (row,) = rows_of(benched, f"from effects where model = 'cr' and step = '{step}' and factor = '{factor}'")
    ratio, lower, upper, p = PRINTED_EFFECTS[step, factor]
    digits = 5e-4 if step == "multivariable" else 5e-3
    assert row["odds_ratio"] == pytest.approx(ratio, abs=digits)
    assert (row["lower"], row["upper"]) == pytest.approx((lower, upper), abs=5e-3)
    assert p is None or row["p"] == pytest.approx(p, abs=5e-4 if step == "multivariable" else 5e-3)
    assert row["method"] == "maximum likelihood"


def test_the_model_has_the_papers_coefficients(benched):
    """Intercept -0.201581, AST 0.911873, diameter 0.919251 (study-facts 3); 18 factors were tried alone."""
    (model,) = rows_of(benched, "select (summary->>'intercept')::double as intercept from models")
    assert model["intercept"] == pytest.approx(-0.201581, abs=5e-7)
    effects = rows_of(benched, "select step, factor, coefficient from effects order by step, factor")
    fitted = {row["factor"]: row["coefficient"] for row in effects if row["step"] == "multivariable"}
    assert fitted == pytest.approx({"ast>40": 0.911873, "diameter_mm>50": 0.919251}, abs=5e-7)
    assert len([row for row in effects if row["step"] == "univariable"]) == 18


def test_field_strength_makes_two_subgroups(benched):
    """74 patients at 1.5 T and 91 at 3 T (study-facts 1), each judged in both cohorts, and compared as independent."""
    found = rows_of(benched, "from subgroups where variable = 'field_strength_t' order by level")
    sizes = {level: sum(row["n"] for row in found if row["level"] == level) for level in ("1.5", "3")}
    assert sizes == {"1.5": 74, "3": 91}
    for row in found:
        scores = rows_of(
            benched,
            "select p.label, p.probability from predictions p join clinical c using (patient) "
            f"where c.variable = 'field_strength_t' and c.value = {row['level']} and p.cohort = '{row['cohort']}'",
        )
        labels, probabilities = ([each[name] for each in scores] for name in ("label", "probability"))
        assert (row["n"], row["events"]) == (len(labels), sum(labels))
        assert row["auc"] == pytest.approx(roc_auc_score(labels, probabilities), abs=1e-12)
        assert row["auc_lo"] < row["auc"] < row["auc_hi"]
    tests = rows_of(benched, "from comparisons where kind = 'subgroup' order by cohort")
    assert [row["cohort"] for row in tests] == [f"{c}: field_strength_t 1.5 - 3" for c in ("training", "validation")]
    assert all(0 < row["p"] <= row["p_holm"] <= 1 and row["model_a"] == row["model_b"] == "cr" for row in tests)
