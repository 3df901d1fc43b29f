"""The clinical model of the published cohort, from study file to SQL: the paper's printed figures.

Figures: the paper's Table 3 and the CR row of its Table 4, as kept in study-facts 3.
"""

import json

import pytest

from flows.bench import bench
from flows.cli.main import exit_code
from flows.ingest import ingest
from store.home import Store
from store.query import answer
from store.snapshot import Snapshot


@pytest.fixture(scope="module")
def benched(tmp_path_factory, clinical_study, prefect_server):
    """Return the store of the published cohort, ingested, trained and judged by the real flows."""
    file, root = clinical_study(tmp_path_factory.mktemp("published"))
    report = ingest(file, root, workers=1)
    assert (report.patients, report.labelled, report.events, report.failures) == (165, 165, 96, ())
    store = Store(root)
    found = bench(store)
    assert [(each.model, each.trained, each.excluded) for each in found.trained] == [("cr", True, 0)]
    return store


def asked(store, query):
    """Return the rows that answer a question."""
    return answer(Snapshot(store), query).to_pylist()


PRINTED = {
    # AUC and its plain DeLong interval, sensitivity and specificity at the training threshold.
    "training": (132, 78, 0.66168, 0.57399, 0.74937, 0.654, 0.648),
    "validation": (33, 18, 0.75185, 0.59319, 0.91051, 0.667, 0.800),
}


@pytest.mark.parametrize("cohort", PRINTED)
def test_the_leaderboard_has_the_papers_figures(benched, cohort):
    """AUC, DeLong interval, sensitivity and specificity of the clinical model are those that the paper prints."""
    (row,) = asked(benched, f"from leaderboard where model = 'cr' and cohort = '{cohort}'")
    n, events, auc, low, high, sensitivity, specificity = PRINTED[cohort]
    assert (row["n"], row["events"], row["suite"]) == (n, events, "paper")
    assert row["auc"] == pytest.approx(auc, abs=5e-6)
    assert row["auc_delong_lo"] == pytest.approx(low, abs=5e-6)
    assert row["auc_delong_hi"] == pytest.approx(high, abs=5e-6)
    assert row["sensitivity"] == pytest.approx(sensitivity, abs=5e-4)
    assert row["specificity"] == pytest.approx(specificity, abs=5e-4)


def test_the_model_has_the_papers_two_factors(benched):
    """AST over 40 and diameter over 50 mm stay, with odds ratios 2.489 and 2.507; AFP enters and drops out."""
    query = "select unnest(from_json(summary->'multivariable', '[\"json\"]')) effect from models"
    effects = asked(
        benched, f"select effect->>'factor' f, round((effect->>'odds_ratio')::double, 3) r from ({query}) order by f"
    )
    assert effects == [{"f": "ast>40", "r": 2.489}, {"f": "diameter_mm>50", "r": 2.507}]
    (removed,) = asked(benched, "select summary->'removed' r from models")
    assert "afp>400" in removed["r"]


def test_training_and_validation_do_not_differ(benched):
    """The unpaired DeLong test of training against validation: D -0.97491, p 0.33401 (pROC; the paper prints .334)."""
    (row,) = asked(benched, "from comparisons")
    assert (row["cohort"], row["kind"]) == ("training-validation", "unpaired")
    assert row["model_a"] == row["model_b"] == "cr"
    assert row["statistic"] == pytest.approx(-0.97491, abs=5e-6)
    assert row["p"] == row["p_holm"] == pytest.approx(0.33401, abs=5e-6)


def test_sql_makes_the_leaderboard_again_from_the_predictions(benched):
    """AUC by the rank formula, sensitivity and specificity by counting: predictions alone give every figure."""
    again = asked(
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
    stored = asked(
        benched,
        "select cohort, n, events, auc, sensitivity, specificity, accuracy, brier from leaderboard order by cohort",
    )
    assert [row.pop("cohort") for row in again] == [row.pop("cohort") for row in stored] == ["training", "validation"]
    for mine, theirs in zip(again, stored, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-12)


def test_predictions_are_one_a_patient_with_the_label_of_the_study(benched):
    """Every patient of the split is judged once, with the label that the study derived."""
    (row,) = asked(
        benched,
        "select count(*) n, count(distinct patient) k, sum((p.label = l.label)::int)::bigint same, "
        "sum((s.cohort = p.cohort)::int)::bigint at_home "
        "from predictions p join labels l using (study, patient) join splits s using (study, patient)",
    )
    assert row == {"n": 165, "k": 165, "same": 165, "at_home": 165}


def test_a_second_bench_changes_nothing(benched):
    """With nothing new there is no training, no commit and no Prefect run."""
    commits = asked(benched, "from commits")
    found = bench(benched)
    assert (found.commit_id, found.trained[0].trained, found.trained[0].version) == (None, False, 1)
    assert asked(benched, "from commits") == commits


def test_train_and_bench_answer_in_json(benched, capsys):
    """The verbs report what they did: nothing was trained, and the leaderboard is the one that SQL gives."""
    store = ["--json", "--store", str(benched.root)]
    # Named twice, it is one model.
    assert exit_code([*store, "train", "cr", "cr"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert (report["model"], report["version"], report["trained"], report["patients"]) == ("cr", 1, False, 165)
    assert exit_code([*store, "bench"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["suite"], found["commit_id"]) == ("paper", None)
    rows = asked(benched, "from leaderboard order by cohort")
    assert sorted(found["leaderboard"], key=lambda row: row["cohort"]) == rows
