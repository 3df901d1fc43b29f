"""Cohorts too small for a figure, a fold or a model: what can be judged is judged, the rest is named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from flows.cli.main import exit_code
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.home import Store

STUDY = """subgroups = ["sex"]

[study]
id = "tiny"
title = "t"

[cohort]
table = "table.csv"

[imported.elsewhere]
table = "table.csv"
columns = {{ include = ["f*"] }}

[clinical.variables]
age = {{ unit = "a" }}
sex = {{ levels = ["F", "M"] }}

[outcome]
kind = "binary"
name = "o"
column = "o"

[splits.fixed]
kind = "column"
column = "cohort"

[models.cr]
factors = [{{ variable = "age" }}, {{ variable = "sex", equals = "M" }}]
{models}
"""
FAST = ("radiomics_lr", "radiomics_knn", "rcr")


def write_study(folder: Path, labels: str, cohorts: str, kind: str = "measured", models=FAST, columns: int = 4) -> Path:
    """Write a study of one table: a digit for each patient's label, ``t`` or ``v`` for the cohort."""
    random = np.random.default_rng(len(labels))
    values = random.normal(size=(len(labels), columns)).round(4).astype(object)
    if kind == "constant":
        values[:] = 3.0
    if kind == "gaps":
        values[random.random(values.shape) < 0.5] = ""
        values[:, 0] = ""
        values[:, 1] = 1.5
    if kind == "separated":
        values[:] += 50 * np.array([int(label) for label in labels])[:, None]
    lines = ["patient,o,cohort,age,sex," + ",".join(f"f{k}" for k in range(columns))]
    for k, (label, cohort) in enumerate(zip(labels, cohorts, strict=True)):
        row = ",".join(map(str, values[k]))
        where = {"t": "training", "v": "validation", "-": ""}[cohort]
        lines.append(f"P{k},{label.strip('x')},{where},{50 + 7 * k % 11},{'FM'[k % 2]},{row}")
    folder.mkdir(exist_ok=True)
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    (folder / "study.toml").write_text(STUDY.format(models="\n".join(f"[models.{name}]" for name in models)))
    return folder


def run(folder: Path, capsys, *arguments: str) -> tuple[int, str]:
    """Run a verb on the study's store and return its exit code and all that it printed."""
    code = exit_code(["--store", str(folder / "store"), *arguments])
    printed = capsys.readouterr()
    assert not re.search(r"Traceback|Warning\b", printed.out + printed.err)
    return code, printed.out + printed.err


def asked(folder: Path, query: str) -> list[dict]:
    """Return the rows that answer a question."""
    return answer(Snapshot(Store(folder / "store")), query).to_pylist()


# Labels and cohorts of: six against six, one of the rarer class, one to judge, one class to judge, two to train.
COHORTS = [
    ("101010101010", "tttttttttvvv"),
    ("1000000010", "ttttttttvv"),
    ("1010101", "ttttttv"),
    ("110011000", "tttttt" + "vvv"),
    ("1010", "ttvv"),
]


# Every cohort with measured values; what is odd in the values shows in the largest cohort. In a tiny one no model but
# cr is fitted whatever the values are, except that gaps leave even fewer patients.
ODD_VALUES = [*((kind, COHORTS[0]) for kind in ("constant", "gaps", "separated")), ("gaps", COHORTS[4])]


@pytest.mark.parametrize(("kind", "cohort"), [*(("measured", each) for each in COHORTS), *ODD_VALUES])
def test_every_model_is_judged_or_named(tmp_path, capsys, prefect_server, kind, cohort):
    """No cohort is too small for a sentence: bench, report and SQL agree on who was judged and who failed, and why."""
    labels, cohorts = cohort
    folder = write_study(tmp_path / "study", labels, cohorts, kind)
    assert run(folder, capsys, "ingest", str(folder / "study.toml"))[0] in (0, 5)
    code, text = run(folder, capsys, "bench")
    judged = {row["model"] for row in asked(folder, "from leaderboard")}
    failed = {row["model"]: row["reason"] for row in asked(folder, "from failures where model is not null")}
    assert judged | failed.keys() == {"cr", *FAST}
    assert not judged & failed.keys()
    assert code == (5 if failed else 0)
    trained = [label for label, cohort in zip(labels, cohorts, strict=True) if cohort == "t"]
    for model, reason in failed.items():
        assert f"'{model}' cannot be fitted to " in reason
        assert f"failed: {reason}" in text
    if failed and kind != "gaps":
        counts = f"{len(trained)} training patients, {trained.count('1')} with label 1 and {trained.count('0')} with"
        assert all(counts in reason for reason in failed.values())
    for row in asked(folder, "from leaderboard"):
        least = min(row["events"], row["n"] - row["events"])
        assert ((row["auc"] is None), (row["auc_lo"] is None)) == (least < 1, least < 2)
        assert 0 <= row["brier"] <= 1
    assert run(folder, capsys, "report")[0] == 0


def test_all_others_stand_where_one_model_fails(tmp_path, capsys, prefect_server):
    """The failure is on record until the model can be trained, and says what is too few."""
    folder = write_study(tmp_path / "study", "11001010", "ttttttvv", models=("radiomics_lr", "radiomics_knn"))
    run(folder, capsys, "ingest", str(folder / "study.toml"))
    code, text = run(folder, capsys, "--json", "bench")
    found = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert code == 5
    assert list(found["failures"]) == ["radiomics_knn"]
    assert "leaves 4 patients to fit to, and 'n_neighbors' is tried from 5 on" in found["failures"]["radiomics_knn"]
    assert {row["model"] for row in found["leaderboard"]} == {"cr", "radiomics_lr"}
    code, text = run(folder, capsys, "train", "radiomics_knn")
    assert (code, "radiomics_knn: failed: split 'fixed': 'radiomics_knn' cannot be fitted" in text) == (5, True)
    write_study(folder, "110010101010", "ttttttvvtttt", models=("radiomics_lr", "radiomics_knn"))
    run(folder, capsys, "ingest", str(folder / "study.toml"))
    assert run(folder, capsys, "bench")[0] == 0
    assert asked(folder, "from failures") == []


def test_bench_says_how_many_patients_each_model_left_out(tmp_path, capsys, prefect_server):
    """No label, no cohort, no input: the counts add up to the study's patients, in text, JSON and report."""
    folder = write_study(tmp_path / "study", "11001010x01", "ttttttvvt-t", models=("radiomics_lr",))
    rows = (folder / "table.csv").read_text().splitlines()
    rows[-1] = ",".join([*rows[-1].split(",")[:5], *[""] * 4])
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    run(folder, capsys, "ingest", str(folder / "study.toml"))
    _, text = run(folder, capsys, "bench")
    left_out = "1: in no cohort of split 'fixed'; 1: no label: outcome is not given"
    assert f"patients left out by cr: 2 ({left_out})" in text
    assert "patients left out by radiomics_lr: 3 (1: in no cohort of split 'fixed'; 1: no elsewhere in table; " in text
    _, text = run(folder, capsys, "--json", "bench")
    for report in json.loads(text)["trained"]:
        assert report["patients"] + sum(each["patients"] for each in report["left_out"]) == 11
    page = tmp_path / "report.html"
    run(folder, capsys, "report", "--out", str(page))
    assert "No patient was left out" not in page.read_text()
    assert "in none of its cohorts" in page.read_text()


def test_the_honest_suite_takes_the_folds_that_there_can_be(tmp_path, capsys, prefect_server):
    """Four of the rarer label make four folds, and the text says so; more that are asked for are refused."""
    folder = write_study(tmp_path / "study", "1010101000", "ttttttttvv", models=("radiomics_knn",))
    run(folder, capsys, "ingest", str(folder / "study.toml"))
    code, text = run(folder, capsys, "bench", "--suite", "nested-cv", "--repeats", "1", "--workers", "1")
    assert code == 5
    assert "split 'fixed': 4 folds instead of 5, for 4 people have the rarer label" in text
    assert "failed: split 'fixed', fold 0: 'radiomics_knn' cannot be fitted to 7 training" in text
    assert {row["model"] for row in asked(folder, "from leaderboard where suite = 'nested-cv'")} == {"cr"}
    assert [row["stage"] for row in asked(folder, "from failures where model = 'radiomics_knn'")] == ["bench"]
    code, text = run(folder, capsys, "bench", "--suite", "nested-cv", "--folds", "5", "cr")
    assert (code, "next: --folds 4 is the most that can be" in text) == (4, True)
