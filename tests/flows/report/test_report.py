"""The report: one page, complete in itself, whose numbers are those that its SQL gives."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from builders.study import SmallStudy
from html_page import Page

from flows.bench.run import bench
from flows.pages.page import write_page
from flows.pages.words import compact, decimals, p_value, percent
from flows.report.added_value import added_values
from flows.report.net_benefit import net_benefits
from flows.report.page import write_report
from flows.report.summary import summary
from schemas.errors import NotFoundError, UsageError
from schemas.keys import RESERVED_VIEWS
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.evaluation.added_value import added_likelihood, reclassified
from zoo.evaluation.decision_curve import net_benefit

pytestmark = pytest.mark.slow  # the module's one benchmark takes some twenty seconds

MODELS = """
[models.cr]
factors = [
    { variable = "afp", above = 20 },
    { variable = "sex", equals = "male" },
]

[models.radiomics_lr]
"""


def _page(study, **options) -> Page:
    return Page(write_report(study.store, study.study_id, **options).read_text())


@pytest.fixture(scope="module")
def judged_study(tmp_path_factory, prefect_server):
    """Return a study of 44 patients with two judged models, one patient without label, one without a mask."""
    root = tmp_path_factory.mktemp("judged")
    names = [f"P{number:02}" for number in range(1, 45)]
    study = SmallStudy.below(root, "judged", names)
    random = np.random.default_rng(7)
    lines = ["patient,recurrence,cohort,afp,sex"]
    for number, name in enumerate(names):
        label = number % 2
        cohort = "training" if number < 30 else "validation"
        afp = "" if name == "P07" else f"{random.lognormal(2.5 + 1.2 * label, 0.6):.1f}"
        known = "" if name == "P44" else label
        lines.append(f"{name},{known},{cohort if name != 'P44' else ''},{afp},{random.choice(['male', 'female'])}")
        for phase in study.phases:
            own = sitk.GetArrayFromImage(study.image(name, phase)) + 90 * label + random.normal(0, 60)
            image = sitk.GetImageFromArray(own.astype(np.float32))
            image.CopyInformation(study.image(name, phase))
            study.write_image(name, phase, image=image)
    (study.folder / "patients.csv").write_text("\n".join(lines) + "\n")
    study.file.write_text('subgroups = ["sex"]\n' + study.file.read_text() + MODELS)
    study.mask_file("P05", "DP").unlink()
    study.ingest()
    study.refresh_without_prefect()
    bench(study.store)
    return study


@pytest.fixture(scope="module")
def judged_page(judged_study):
    """Return the parsed report of the judged study."""
    return _page(judged_study)


def test_every_sql_text_of_the_page_can_be_asked_again(judged_study, judged_page):
    """Each SQL text on the page is one statement that the store answers with at least the columns it names."""
    assert len(judged_page.sql) >= 20
    for text in judged_page.sql:
        assert not re.search(r"\bif\(", text), "DuckDB 1.3 and 1.4, which others ask with, have no if()"
        assert answer(Snapshot(judged_study.store), text).num_columns > 0


def test_every_table_is_followed_by_its_sql(judged_page):
    """No table stands without the SQL that gives it."""
    assert [table.caption for table in judged_page.tables if not table.sql] == []


def test_the_leaderboard_shows_what_its_sql_gives(judged_study, judged_page):
    """AUC, both intervals, rates and calibration of every model and cohort are those of the SQL."""
    table = judged_page.table("Every model on every cohort")
    rows = judged_study.sql(table.sql)
    assert len(rows) == 4
    for row, cells in zip(rows, table.rows[1:], strict=True):
        assert cells[-13] == row["cohort"]
        assert cells[-12] == f"{row['n']}{row['events']}"
        assert cells[-11] == decimals(row["auc"])
        main, plain = (
            f"{decimals(row[low])}\u2013{decimals(row[high])}"
            for low, high in (("auc_lo", "auc_hi"), ("auc_delong_lo", "auc_delong_hi"))
        )
        assert cells[-10] == main + plain
        names = ("accuracy", "sensitivity", "specificity", "ppv", "npv", "brier", "calibration_slope")
        names += ("calibration_intercept",)
        told = {name: figures_of(judged_study, row)[name] for name in names}
        assert cells[-9:] == [*map(figure_cell, told.values()), decimals(row["threshold"])]
        assert {name: figure["value"] for name, figure in told.items()} == pytest.approx({n: row[n] for n in names})


def test_the_counts_are_those_of_the_sql(judged_study, judged_page):
    """True and false calls, expected and observed events stand behind the leaderboard."""
    table = judged_page.table("Patients by call and label")
    rows = judged_study.sql(judged_page.table("Every model on every cohort").sql)
    assert len(table.rows) == 1 + len(rows)
    for row, cells in zip(rows, table.rows[1:], strict=True):
        told = figures_of(judged_study, row)
        counts = [told[name]["value"] for name in ("tp", "fp", "tn", "fn")]
        assert cells[-8:-4] == [f"{count:.0f}" for count in counts]
        assert sum(counts) == row["n"]
        assert cells[-4:-2] == [str(row["events"]), f"{told['expected']['value']:.1f}"]
        assert cells[-2] == figure_cell(told["observed_expected"], 2)
        assert cells[-1] == figure_cell(told["scaled_brier"])


def figures_of(study, row):
    """Return the rows of the view performance of a leaderboard's row, by figure."""
    asked = f"from performance where model = '{row['model']}' and cohort = '{row['cohort']}'"
    return {each["figure"]: each for each in study.sql(asked)}


def figure_cell(figure, digits=3):
    """Return how a figure stands on the page: its value, and its bounds in small type."""
    bounds = ""
    if figure["lower"] is not None:
        bounds = f"{decimals(figure['lower'], 2)}\u2013{decimals(figure['upper'], 2)}"
    return decimals(figure["value"], digits) + bounds


def test_added_value_is_told_of_models_that_read_more():
    """Cr reads a part of what rcr reads, variants too; radiomics alone and cr add nothing to each other."""
    random = np.random.default_rng(5)
    models = {
        name: [
            {"patient": f"P{n:02}", "label": n % 2, "threshold": 0.5, "probability": random.uniform(0.1, 0.9)}
            for n in range(30 - missing)
        ]
        for name, missing in (("cr", 0), ("rcr", 3), ("portal", 0), ("radiomics_lr", 0))
    }
    bases = {name: name for name in models} | {"portal": "rcr"}
    found = added_values(models, bases)
    assert [(each.first, each.second) for each in found] == [("cr", "portal"), ("cr", "rcr")]
    labels, first, second = (
        [row[name] for row in rows[:27]]
        for rows, name in ((models["cr"], "label"), (models["cr"], "probability"), (models["rcr"], "probability"))
    )
    assert found[1].test == added_likelihood(labels, first, second)
    calls = [[value >= 0.5 for value in values] for values in (first, second)]
    sides = tuple(reclassified(labels, calls[0], calls[1], label) for label in (1, 0))
    assert (found[1].events, found[1].others) == sides
    one_label = {name: [row for row in rows if row["label"]] for name, rows in models.items()}
    assert added_values(one_label, bases) == []


def test_the_summary_says_what_complete_cases_hide():
    """Where patients are censored before the horizon, Kaplan and Meier's rate stands beside that of the labelled."""
    study = {"patients": 750, "labelled": 304, "events": 75, "outcome": "death"}
    rate = {"cohort": None, "horizon": 12.0, "time_unit": "mo", "censored": 446, "rate": 0.147, "labelled": 304}
    rate |= {"complete_case_rate": 0.247}
    text = " ".join(summary(study, [], [rate], []))
    assert "446 patients followed for less than 12\u00a0months without it have no label" in text
    assert "comes in 14.7% by then, not in 24.7%" in text
    assert "Kaplan" not in " ".join(summary(study, [], [rate | {"censored": 0}], []))


def test_net_benefit_has_a_table(judged_study, judged_page):
    """Each model's net benefit at round thresholds, and that of treating everyone, are the formula's."""
    table = judged_page.table("Net benefit at some thresholds")
    cuts = [float(cell.removesuffix(" %")) / 100 for cell in table.rows[0][1:]]
    assert cuts == pytest.approx(np.arange(1, 10) / 10)
    for model, *cells in table.rows[1:]:
        who = model if model != "treat everyone" else "cr"
        rows = judged_study.sql(f"from predictions where cohort = 'validation' and model = '{who}'")
        labels, probabilities = ([row[name] for row in rows] for name in ("label", "probability"))
        values = net_benefit(labels, np.ones(len(rows)) * 0.999 if who != model else probabilities, cuts)
        for cell, value in zip(cells, values, strict=True):
            assert cell.startswith(decimals(value))


def test_the_range_of_net_benefit_is_the_studys():
    """Where a study says at which thresholds somebody would act, the report looks at these."""
    rows = [{"label": number % 2, "probability": (number + 1) / 42, "patient": f"P{number}"} for number in range(40)]
    (benefit,) = net_benefits({"validation": {"m": rows}}, "holdout", (0.2, 0.35)).values()
    assert benefit.thresholds == pytest.approx([0.2, 0.22, 0.24, 0.26, 0.28, 0.3, 0.32, 0.34, 0.35])
    (_, cells), (treated,) = benefit.lines[0], benefit.treat_all
    expected = net_benefit([row["label"] for row in rows], [row["probability"] for row in rows], benefit.thresholds)
    assert [value for value, _, _ in cells] == pytest.approx(list(expected))
    assert treated[:2] == (40, 20)
    assert treated[2] == pytest.approx([0.5 - 0.5 * cut / (1 - cut) for cut in benefit.thresholds])
    assert "0.2 to 0.35" in benefit.figure


def test_a_single_split_is_not_said_to_be_repeated(judged_page):
    """The holdout suite's ROC curves are single ones, with the frozen threshold, and no figure is said to be a mean."""
    assert "the mark is the threshold frozen in training" in judged_page.text
    assert "over the repeats" not in judged_page.text
    assert "The area under the line" not in judged_page.text


def test_the_summary_names_the_best_model_of_the_validation_cohort(judged_study, judged_page):
    """The first paragraph gives the highest validation AUC with its interval, and the notice stands above it."""
    (best,) = judged_study.sql(
        "select model, auc, auc_lo, auc_hi from leaderboard where cohort = 'validation' order by auc desc limit 1"
    )
    assert f"{best['model']} has the highest AUC in the validation cohort: {decimals(best['auc'])}" in judged_page.text
    assert f"{decimals(best['auc_lo'])} to {decimals(best['auc_hi'])}" in judged_page.text
    assert judged_page.text.index("not for clinical use") < judged_page.text.index("has the highest AUC")


def test_comparisons_show_what_their_sql_gives(judged_study, judged_page):
    """Statistic, p and Holm p of the paired and the unpaired tests are those of the SQL."""
    for caption, tests in (("Model against model", 2), ("Training against validation", 2)):
        table = judged_page.table(caption)
        rows = judged_study.sql(table.sql)
        assert len(rows) == tests
        shown = [cells[-3:] for cells in table.rows[1:]]
        assert shown == [[decimals(r["statistic"]), p_value(r["p"]), p_value(r["p_holm"])] for r in rows]


def test_many_paired_tests_are_folded_behind_the_first_ten(judged_study, tmp_path):
    """Ten tests stand open, the others in a fold, in the SQL's order; slopes out of bounds are told in words."""
    store = Store(shutil.copytree(judged_study.store_root, tmp_path / "store"))
    before = Snapshot(store)
    board = _without_commit(before.rows("leaderboard", cohort="validation")[0])
    paired = _without_commit(before.rows("comparisons", kind="paired", cohort="validation")[0])
    with commit_to(store, "more tests") as commit:
        commit.put("leaderboard", [board | {"calibration_slope": -145.0}])
        commit.put("comparisons", [paired | {"model_a": f"x{n:02}", "p": (n + 1) / 100} for n in range(23)])
    text = write_report(store, judged_study.study_id, out=tmp_path / "report.html").read_text()
    first, rest = (table for table in Page(text).tables if table.caption.startswith("Model against model"))
    everything = [p_value(row["p"]) for row in answer(Snapshot(store), first.sql).to_pylist()]
    assert [cells[-2] for cells in first.rows[1:]] == everything[:10]
    assert [cells[-2] for cells in rest.rows[1:]] == everything[10:]
    assert len(everything) == 25
    assert "<summary>The other 15 tests, by cohort and p</summary>" in text
    assert f"Slope below 0 or above 10: {board['model']}" in text


def _without_commit(row):
    return {name: value for name, value in row.items() if name != "added_commit"}


def test_odds_ratios_show_what_their_sql_gives(judged_study, judged_page):
    """The clinical model's factors stand with their univariable odds ratio, interval and p."""
    table = judged_page.table("Odds ratios")
    rows = judged_study.sql(table.sql)
    assert [row["factor"] for row in rows] == ["afp>20", "sex=male"]
    for row, cells in zip(rows, table.rows[2:], strict=True):
        bounds = f"{decimals(row['lower'], 2)}\u2013{decimals(row['upper'], 2)}"
        assert cells[1:4] == [decimals(row["odds_ratio"], 2), bounds, p_value(row["p"])]
    kept = {row["factor"]: row for row in rows if row["adjusted_odds_ratio"] is not None}
    assert list(kept) == ["afp>20"]
    assert table.rows[2][4] == decimals(kept["afp>20"]["adjusted_odds_ratio"], 2)
    assert table.rows[2][-1] == f"yes, coefficient {decimals(kept['afp>20']['coefficient'])}"
    assert table.rows[3][-1] == "not entered"


def test_selected_features_come_with_their_dictionary(judged_study, judged_page):
    """Each selected feature has coefficient, phase, IBSI id and definition, those of the features view."""
    table = judged_page.table("Selected features")
    rows = judged_study.sql(table.sql)
    assert rows
    for row, cells in zip(rows, table.rows[1:], strict=True):
        assert cells[0] == decimals(row["coefficient"])
        assert cells[1] == row["phase"] in ("AP", "DP")
        assert row["definition"] in cells[6]
        (known,) = judged_study.sql(
            f"select ibsi_id from features where feature = '{row['feature']}' and feature_set = 'quick@1'"
        )
        assert known["ibsi_id"] == row["ibsi_id"]


def test_what_a_reader_must_know_of_a_model_is_said(judged_study, judged_page):
    """Every note of a model, here that few patients come to a selected feature, stands on the page."""
    rows = judged_study.sql("select unnest((summary -> 'notes')::varchar[]) as note from models")
    notes = [row["note"] for row in rows]
    assert any("events per variable, fewer than 10" in note for note in notes)
    for note in notes:
        assert f"Note: {note}." in judged_page.text


def test_the_first_table_shows_what_its_sql_gives(judged_study, judged_page):
    """Means or medians, counts with shares and both p values are those of the SQL, a missing value is counted."""
    table = judged_page.table("Table 1")
    rows = {(row["cohort"], row["variable"], row["level"]): row for row in judged_study.sql(table.sql)}
    afp = rows["training", "afp", ""]
    cells = next(cells for cells in table.rows if cells[0].startswith("afp"))
    if afp["test"] == "mann-whitney":
        quartiles = f"{compact(afp['q1_events'])}\u2013{compact(afp['q3_events'])}"
        assert cells[1] == f"{compact(afp['median_events'])} ({quartiles})"
    else:
        assert cells[1] == f"{compact(afp['mean_events'])} \u00b1 {compact(afp['sd_events'])}"
    assert [cell.endswith("[1 missing]") for cell in cells[1:3]] == [False, True]
    assert cells[3].startswith(p_value(afp["p"]))
    assert p_value(afp["other_p"]) in cells[3]
    over = rows["validation", "afp", ">20"]
    cells = next(cells for cells in table.rows if cells[0] == ">20")
    assert cells[4] == f"{over['count_events']} ({percent(over['count_events'], over['known_events'])})"
    men = rows["validation", "sex", "male"]
    cells = next(cells for cells in table.rows if cells[0] == "male")
    assert cells[-4:-2] == counted(men)
    assert cells[-2:] == counted(rows["training-validation", "sex", "male"])
    female = next(cells for cells in table.rows if cells[0] == "female")
    assert female[-1].startswith(p_value(rows["training-validation", "sex", "female"]["p"]))


def counted(row):
    """Return how a level's patients stand in both columns."""
    return [
        f"{row[f'count_{group}']} ({percent(row[f'count_{group}'], row[f'known_{group}'])})"
        for group in ("events", "others")
    ]


def test_subgroups_show_what_their_sql_gives(judged_study, judged_page):
    """The model named first stands alone, the others behind it: a line a cohort, the AUC of both sexes, and tests."""
    table, others = judged_page.table("Subgroups by sex"), judged_page.table("The other lines of subgroups by sex")
    rows = {(row["cohort"], row["model"], row["level"]): row for row in judged_study.sql(table.sql)}
    assert table.rows[0] == others.rows[0] == ["Cohort", "Model", "female", "male"]
    assert ([row[0] for row in table.rows[1:]], len(others.rows)) == (["validation"], 4)
    for cohort, model, *cells in [*table.rows[1:], *others.rows[1:]]:
        for level, cell in zip(("female", "male"), cells, strict=True):
            row = rows[cohort, model, level]
            assert cell.startswith(decimals(row["auc"]))
            assert cell.endswith(f"n = {row['n']}, {row['events']} events")
    tests = judged_page.table("Level against level")
    shown = [cells[-3:] for cells in tests.rows[1:]]
    assert shown == [
        [decimals(r["statistic"]), p_value(r["p"]), p_value(r["p_holm"])] for r in judged_study.sql(tests.sql)
    ]


@pytest.mark.skipif("openings" not in RESERVED_VIEWS, reason="this store keeps no ledger of opened cohorts")
def test_openings_of_the_held_out_cohort_are_listed(judged_study, judged_page):
    """Each model version that was judged on the validation cohort stands in the ledger once."""
    table = judged_page.table("Openings of the held-out cohort")
    assert "2 model versions judged on it so far" in table.caption
    shown = {(cells[0], cells[1], cells[3]) for cells in table.rows[1:]}
    assert shown == {("cr", "1", "validation"), ("radiomics_lr", "1", "validation")}
    assert len(judged_study.sql(table.sql)) == 2


def test_before_a_benchmark_the_clinical_table_shows_what_its_sql_gives(ready_study, tmp_path):
    """Medians with quartiles and counts with shares are those of the SQL; there are no p values yet."""
    page = _page(ready_study, out=tmp_path / "report.html")
    table = page.table("Clinical variables")
    rows = ready_study.sql(table.sql)
    male = next(r for r in rows if (r["level"], r["cohort"], r["label"]) == ("male", "training", 1))
    cells = next(cells for cells in table.rows if cells[0] == "male")
    assert cells[1] == f"{male['patients']} ({percent(male['patients'], 1)})"
    assert not any(each.caption.startswith("Table 1") for each in page.tables)


def test_patients_left_out_are_told_with_the_reason(judged_page):
    """A patient without label, without an input of a model, and a failed mask each stand with the reason."""
    cells = [cell for row in judged_page.table("Patients left out").rows for cell in row]
    assert "outcome is not given" in cells
    assert "no clinical factors" in cells
    assert "no quick in DP" in cells or "no quick@1 in DP" in cells
    failure = judged_page.table("What could not be read").rows[1]
    assert failure[0] == "ingest"
    assert failure[4:6] == ["1", "1"]


def test_masks_to_look_at_twice_are_counted(judged_page, tmp_path):
    """Each flag stands with its masks and patients, as its SQL gives them; where there is none, a sentence says so."""
    assert "No mask is flagged." in judged_page.text
    odd = SmallStudy.below(tmp_path, "odd")
    mask = odd.mask("P2")
    mask[0, 0, 0] = 1
    odd.write_mask("P2", mask=mask)
    odd.ingest()
    table = _page(odd).table("Masks to look at twice")
    assert [row[:3] for row in table.rows[1:]] == [["at the border", "1", "1"], ["several parts", "1", "1"]]
    assert [row["where"] for row in odd.sql(table.sql)] == ["P2/AP", "P2/AP"]


def test_coverage_flags_the_missing_mask(judged_study, judged_page):
    """Coverage counts the masks of each phase and calls a phase complete where each has an extraction."""
    table = judged_page.table("Coverage by reading and phase")
    rows = judged_study.sql(table.sql)
    assert [cells[5:7] for cells in table.rows[1:]] == [[str(r["masks"]), str(r["extractions"])] for r in rows]
    assert {cells[7] for cells in table.rows[1:]} == {"complete"}
    assert {row["phase"]: row["masks"] for row in rows} == {"AP": 44, "DP": 43}


def test_grey_levels_show_what_their_sql_gives(judged_study, judged_page):
    """Fewest, median and most grey levels are those of the SQL, and an image type with too few is flagged."""
    table = judged_page.table("Grey levels")
    rows = judged_study.sql(table.sql)
    assert [row["image_type"] for row in rows] == ["original"]
    (row,), cells = rows, table.rows[1]
    assert cells[1:6] == [
        str(row["masks"]),
        str(row["fewest"]),
        f"{row['median']:g}",
        str(row["most"]),
        str(row["masks_below_8"]),
    ]
    assert ("below 8" in cells[-1]) == (row["fewest"] < 8)


def test_the_page_needs_nothing_beside_it(judged_page):
    """Nothing is loaded: no source, no import, no font; the one link away leads to the overview beside the page."""
    loading = [(tag, name) for tag, name, _ in judged_page.attributes if name in ("src", "srcset", "data", "action")]
    assert loading == []
    links = [value for _, name, value in judged_page.attributes if name in ("href", "xlink:href")]
    assert [value for value in links if not value.startswith("#")] == ["overview/index.html#lineage"]
    assert set(re.findall(r"url\((.)", judged_page.html)) <= {"#"}
    assert "@import" not in judged_page.html
    assert "<link" not in judged_page.html
    assert set(re.findall(r"https?://[^\"' <]+", judged_page.html)) <= {"http://www.w3.org/2000/svg"}


def test_the_page_is_accessible(judged_page):
    """Every table has a caption, every header a scope, every figure a label, and no id stands twice."""
    assert all(table.caption for table in judged_page.tables)
    assert judged_page.headers_without_scope == 0
    assert len(judged_page.ids) == len(set(judged_page.ids))
    svgs = [tag for tag, name, value in judged_page.attributes if (tag, name, value) == ("svg", "role", "img")]
    labels = [value for tag, name, value in judged_page.attributes if (tag, name) == ("svg", "aria-label")]
    # ROC and calibration and net benefit of two cohorts, the forest, and the flow of patients.
    assert len(svgs) == len(labels) == 8
    assert "ROC curves in the validation cohort" in " ".join(labels)


def test_the_same_store_gives_the_same_page(judged_study, tmp_path):
    """Two reports of one state are equal byte for byte, wherever they are written."""
    first = write_report(judged_study.store, "judged", tmp_path / "first.html")
    second = write_report(judged_study.store, None, tmp_path / "deep" / "second.html")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["deep", "first.html", "overview"]


def test_provenance_names_the_commit_and_how_to_ask(judged_study, judged_page):
    """The page says at which commit it was made and how to ask; no folder of this machine, no account's name."""
    newest = judged_study.snapshot.commit_id
    root = judged_study.store.root
    assert f"sql --as-of {newest} -" in judged_page.text
    assert "$STORE/analyst.duckdb" in judged_page.text
    assert str(root.parent) not in judged_page.html
    authors = {row["author"] for row in judged_study.sql("from commits")}
    assert not any(f">{author}<" in judged_page.html or f", {author}:" in judged_page.html for author in authors)
    flows = [cells[0] for cells in judged_page.table("Runs of this study").rows[1:]]
    assert flows == ["ingest", "refresh", "train", "bench"]


def test_the_commands_of_the_page_work_as_they_stand(judged_study, judged_page):
    """The example for the command line, pasted into a shell that has STORE, prints the leaderboard's figures."""
    (example,) = [text for text in judged_page.code if text.startswith("radzoo ")]
    done = subprocess.run(
        ["bash", "-c", example],
        env=os.environ
        | {"STORE": str(judged_study.store_root), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = sorted(decimals(float(line.split()[2])) for line in done.stdout.splitlines()[2:])
    shown = sorted(cells[-11] for cells in judged_page.table("Every model on every cohort").rows[1:])
    assert printed == shown


def test_a_study_without_models_says_what_is_not_there(ready_study, tmp_path):
    """Without a benchmark the page keeps cohort and features and says why the rest is missing."""
    page = _page(ready_study, out=tmp_path / "report.html")
    assert "No model of this study has been judged" in page.text
    assert "No model has been trained" in page.text
    assert page.table("Coverage by reading and phase").rows[1][5:7] == ["4", "4"]
    assert not any(table.caption.startswith("Every model") for table in page.tables)
    for text in page.sql:
        answer(ready_study.snapshot, text)


def test_a_study_whose_models_all_failed_says_why(ready_study, tmp_path):
    """Who has run the benchmark is not told to run it: the reason that the store has stands where results would."""
    reason = "'radiomics_lr' cannot be fitted to 3 training patients"
    failed = {"stage": "train", "study": ready_study.study_id, "patient": "", "exam": "", "phase": "", "lesion": ""}
    failed |= {"reader": "", "reading": 0, "feature_set": "", "feature": "radiomics_lr", "reason": reason}
    store = Store(shutil.copytree(ready_study.store_root, tmp_path / "store"))
    with commit_to(store, "a training that failed") as commit:
        commit.put("failures", [failed])
    page = Page(write_report(store, None, tmp_path / "report.html").read_text())
    assert "No model of this study could be judged" in page.text
    assert page.text.count(reason) == 2
    assert "radzoo bench" not in page.text.partition("could be judged")[2].partition("Figures")[0]


def test_a_study_that_is_only_ingested_has_a_report(small_study):
    """Before the first refresh the page says that there are no features, and its text is never markup."""
    small_study.edit('title = "A small study"', 'title = "<b>R&D</b> <script>alert(1)</script>"')
    small_study.ingest()
    file = write_report(small_study.store, None)
    page = Page(file.read_text())
    assert file == small_study.store.root / "report" / "small.html"
    assert "No feature of this study's masks has been computed" in page.text
    assert "<script>alert" not in page.html
    assert "<b>R&D</b> <script>alert(1)</script>" in page.text


def test_a_study_without_outcome_split_or_variables_has_a_report(small_study):
    """A study that declares phases only has a page that says what it does not declare."""
    text = small_study.file.read_text()
    start, end = text.index("[clinical.variables.afp]"), text.index("[define.quick.radiomics]")
    small_study.file.write_text(text[:start] + text[end:])
    small_study.ingest()
    page = _page(small_study)
    assert "It declares no outcome" in page.text
    assert "The study declares no split" in page.text
    assert "The study declares no clinical variables" in page.text


def test_an_unknown_study_is_not_found(ready_study):
    """A study that the store does not have is an error that names those it has."""
    with pytest.raises(NotFoundError, match="there is no study 'other'"):
        write_report(ready_study.store, "other")


def test_a_folder_is_no_file_to_write(ready_study, tmp_path):
    """A report is not written over a folder; the error names a file inside it."""
    with pytest.raises(UsageError, match="is a folder"):
        write_report(ready_study.store, None, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_steps_of_a_selection_stand_in_the_order_of_the_pipeline(judged_study, tmp_path):
    """The funnel goes from the first step to the last, also where a step leaves as many columns as the one before."""
    page = write_report(judged_study.store, "judged", tmp_path / "report.html").read_text()
    (funnel,) = re.findall(r'<ol class="funnel">(.*?)</ol>', page, re.DOTALL)
    steps = re.findall(r"<li><span>(.*?)</span>.*?<span class=\"n\">(\d+)</span>", funnel)
    assert [name for name, _ in steps] == ["impute", "variance", "zscore", "univariable", "lasso"]
    counts = [int(count) for _, count in steps]
    assert counts == sorted(counts, reverse=True)


def test_a_page_is_written_to_a_pipe_as_it_is_and_leaves_nothing_half_done(ready_study, tmp_path):
    """A pipe stays a pipe; a page that cannot be written leaves the old one and no partial file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    assert write_page(pipe, "a page") == pipe
    assert reader.communicate(timeout=60)[0] == b"a page"
    assert pipe.is_fifo()
    file = tmp_path / "page.html"
    write_page(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_page(file, "\ud800")
    assert file.read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["page.html", "pipe"]
