"""A scanner whose images are brighter and noisier is found, through ingest and extraction; where none is, none."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import SimpleITK as sitk
from builders.study import SmallStudy
from html_page import Page
from openpyxl import load_workbook

from flows.monitor.rules import DriftRules
from flows.monitor.run import monitor
from flows.monitor.values import feature_values
from flows.monitor.words import verdict
from store.history.studies import stored_study
from zoo.drift.features import features_drift
from zoo.drift.relabelling import draws_for

OLD, NEW = "Siemens Avanto 1.5 T", "GE SIGNA Premier 3.0 T"
RULES = DriftRules(alpha=0.01, least_psi=0.2)


def scanned(study: SmallStudy, patient: str, *, is_new: bool) -> sitk.Image:
    """Return an image of either scanner, and write what its sidecar says of it."""
    maker, model, tesla = ("GE", "SIGNA Premier", 3) if is_new else ("Siemens", "Avanto", 1.5)
    said = {"Manufacturer": maker, "ManufacturersModelName": model, "MagneticFieldStrength": tesla}
    study.image_file(patient).with_name(f"{patient}_AP.json").write_text(json.dumps(said))
    image = study.image(patient)
    # People differ more than their noise does.
    own = np.random.default_rng([*patient.encode()])
    image = image * float(own.normal(1, 0.1)) + float(own.normal(0, 30))
    return image * 1.3 + 60 if is_new else image


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return 60 patients, the last twenty of another scanner, in two sites that both scanners serve alike."""
    names = [f"S{number:02}" for number in range(60)]
    study = SmallStudy.below(tmp_path_factory.mktemp("scanners"), "scanners", names, phases=("AP",))
    text = study.file.read_text()
    start, end = text.index("[phases.DP]"), text.index("[clinical.variables.afp]")
    text = text[:start] + text[end:]
    study.file.write_text(
        text.replace("[outcome]", '[clinical.variables.site]\nlevels = ["north", "south"]\n\n[outcome]')
    )
    study.edit('table = "patients.csv"', 'table = "patients.csv"\nexam_date = "scanned"')
    lines = ["patient,recurrence,cohort,afp,sex,site,scanned"]
    for number, name in enumerate(names):
        study.write_image(name, image=scanned(study, name, is_new=number >= 40))
        cohort, site = ("training", "validation")[number % 3 == 0], ("north", "south")[number % 2]
        month = 1 + number // 10
        lines.append(f"{name},{number % 4 // 2},{cohort},10,male,{site},2024-0{month}-0{1 + number % 9}")
    (study.folder / "patients.csv").write_text("\n".join(lines) + "\n")
    study.ingest()
    study.refresh_without_prefect()
    return study


def test_the_new_scanner_is_found(study):
    """Both the features that follow intensity and all of them together; the shape, which is the same, is not named."""
    found = monitor(study.store, by="scanner", rules=RULES)
    of_features, of_outcome = found.compared
    assert (of_features.reference, of_features.current) == (OLD, NEW)
    assert (of_features.reference_patients, of_features.current_patients) == (40, 20)
    named = {each.feature for each in of_features.drifting}
    assert "AP__original_firstorder_Mean" in named
    assert not [name for name in named if "_shape_" in name]
    assert of_features.result.auc_p <= 0.01
    assert len(of_features.findings) == 2
    assert of_outcome.findings == ()
    assert found.findings == of_features.findings


def test_cohorts_and_sites_of_both_scanners_do_not_drift(study):
    """The shift is in all of their groups alike."""
    for by in ("cohort", "site"):
        found = monitor(study.store, by=by, rules=RULES)
        assert found.tests == 3
        assert found.findings == ()


def test_no_redraw_without_a_shift_is_flagged(study):
    """Of twenty draws of forty patients of one scanner none is, at a level that expects a tenth of one."""
    snapshot = study.snapshot
    values = feature_values(snapshot, stored_study(snapshot, None), "quick@1", None)
    level, tests, flagged = 0.005, 2, 0
    rows = values.of([f"S{number:02}" for number in range(40)])[1]
    for seed in range(20):
        is_current = np.random.default_rng(seed).permutation(np.arange(40) < 15)
        found = features_drift(rows, values.columns, is_current, tests=tests, draws=draws_for(level, tests), seed=seed)
        flagged += found.features[0].p <= level or found.auc_p <= level
    assert flagged == 0
    assert len(monitor(study.store, by="scanner", rules=DriftRules(level, 0.2)).findings) == 2


def test_the_month_from_which_on_it_drifts(study):
    """Of six months the last two are the new scanner's; they are compared with the first three, which have half."""
    found = monitor(study.store, by="month", rules=RULES)
    drifting = {each.current: bool(each.findings) for each in found.compared if each.what == "features"}
    assert found.compared[0].reference == "2024-01 to 2024-03"
    assert drifting == {"2024-04": False, "2024-05": True, "2024-06": True}
    found = monitor(study.store, by="month", reference="2024-05", rules=RULES)
    assert {each.current for each in found.compared} == {"2024-06"}
    assert found.compared[0].reference_patients == 50
    found = monitor(study.store, by="month", reference="2024-06", rules=RULES)
    assert (list(found.compared), verdict(found)) == ([], "nothing is compared")
    assert "no month comes after '2024-06': --by or --reference names others" in found.notes


def test_check_leaves_with_5_where_something_drifts(study, capsys):
    """And with 0 where nothing does, or where nobody asked to check."""
    code, out, _ = study.ask(capsys, "monitor", "--by", "scanner", "--check")
    assert code == 5
    assert f"{NEW} (20 patients) against {OLD} (40 patients)" in out
    assert "AP__original_firstorder_" in out
    assert "\ndrift: " in out
    assert study.ask(capsys, "monitor", "--by", "scanner")[0] == 0
    code, out, _ = study.ask(capsys, "monitor", "--check", "--limit", "0")
    assert code == 0
    assert out.splitlines()[-1].startswith("no drift at the level 0.01 (p adjusted for 3 tests")
    assert "original" not in out


def test_json_has_everything(study, capsys):
    """Each comparison with its features, and what is asked."""
    code, out, _ = study.ask(capsys, "--json", "monitor", "--by", "scanner")
    found = json.loads(out)
    assert code == 0
    assert found["rules"] == {"alpha": 0.01, "least_psi": 0.2}
    assert len(found["compared"][0]["result"]["features"]) == len(
        study.sql("from features where feature_set = 'quick@1'")
    )
    assert found["compared"][0]["findings"]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "parquet", "xlsx"])
def test_a_file_has_every_feature(study, tmp_path, capsys, suffix):
    """One row a feature and comparison in the suffix's format; never over another file unasked."""
    file = tmp_path / f"drift.{suffix}"
    code, out, _ = study.ask(capsys, "monitor", "--by", "scanner", "--out", file, "--check")
    assert code == 5
    assert f"wrote {file}" in out
    features = len(study.sql("from features where feature_set = 'quick@1'"))
    if suffix == "json":
        assert len(json.loads(file.read_text())["compared"][0]["result"]["features"]) == features
    elif suffix == "parquet":
        assert pq.read_table(file).num_rows == features
    elif suffix == "xlsx":
        assert load_workbook(file).active.max_row == features + 1
    else:
        assert len(file.read_text().splitlines()) == features + 1
    assert study.ask(capsys, "monitor", "--out", file)[0] == 2


def test_a_page_has_the_verdict_and_the_features(study, tmp_path, capsys):
    """One HTML page that needs nothing beside it: what is compared, what was found, each feature in a row."""
    file = tmp_path / "drift.html"
    assert study.ask(capsys, "monitor", "--by", "scanner", "--out", file)[0] == 0
    page = Page(file.read_text())
    assert f"features, {NEW} (20 patients) against {OLD} (40 patients)" in page.text
    assert "drift: " in page.text
    (table,) = page.tables
    assert len(table.rows) == 1 + len(study.sql("from features where feature_set = 'quick@1'"))
    assert "drifts" in table.rows[1][0]
    assert page.headers_without_scope == 0
    assert not [value for _, name, value in page.attributes if name in ("src", "href") and not value.startswith("#")]


def test_the_store_stays_as_it_is(study):
    """No commit and no run comes of it."""
    before = study.sql("select count(*) as n from commits")
    monitor(study.store, by="scanner", rules=RULES)
    assert study.sql("select count(*) as n from commits") == before
