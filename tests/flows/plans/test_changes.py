"""The table of docs/changes.md: what each change of a study makes stale, forecast, carried out and compared."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from builders.cohorts import bright_study
from builders.models import train
from builders.study import SmallStudy

from flows.ingest.run import ingest
from flows.plans.made import plan_of_refresh
from flows.plans.plan import Plan
from flows.refresh.run import refresh
from flows.report.page import write_report
from store.commits.commit import Changes, commit_to
from store.erasure.erase import erase_patient
from store.history.studies import stored_study
from store.home import Store
from zoo.models.training import plan_trainings

DOCUMENT = Path(__file__).parents[3] / "docs" / "changes.md"
MODELS = """
[models.cr]
factors = [{ variable = "afp", above = 400 }, { variable = "sex", equals = "male" }]

[models.radiomics_knn]
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> tuple[SmallStudy, Path]:
    """Return a study of 24 patients and two phases with two trained models and a report, and a copy of all of it."""
    root = tmp_path_factory.mktemp("changes")
    study = bright_study(root, "changing", '["quick"]', MODELS)
    random = np.random.default_rng(8)
    header, *rows = (study.folder / "patients.csv").read_text().splitlines()
    cells = [row.split(",") for row in rows]
    values = ["900" if random.random() < 0.2 + 0.6 * int(each[1]) else "20" for each in cells]
    lines = [",".join((*each[:3], value, each[4])) for each, value in zip(cells, values, strict=True)]
    (study.folder / "patients.csv").write_text("\n".join([header, *lines]) + "\n")
    study.ingest()
    study.refresh_without_prefect()
    train(study.store, stored_study(study.snapshot, "changing"))
    write_report(study.store, "changing")
    copy = tmp_path_factory.mktemp("kept")
    for folder in (study.folder, study.store_root):
        shutil.copytree(folder, copy / folder.name)
    return study, copy


@pytest.fixture
def study(kept) -> SmallStudy:
    """Return the study and its store as they were kept, at the place where they were made."""
    found, copy = kept
    for folder in (found.folder, found.store_root):
        shutil.rmtree(folder)
        shutil.copytree(copy / folder.name, folder)
    return found


def new_patient(study: SmallStudy, _: Installed) -> None:
    """Add a training patient with both phases."""
    table = study.folder / "patients.csv"
    table.write_text(table.read_text() + "N90,1,training,900,male\n")
    for phase in study.phases:
        study.write_image("N90", phase)
        study.write_mask("N90", phase)


def changed_mask(study: SmallStudy, _: Installed) -> None:
    """Draw a training patient's lesion larger in one phase."""
    study.write_mask("N01", "AP", mask=study.mask("N01", "AP", grow=1))


def corrected_value(study: SmallStudy, _: Installed) -> None:
    """Correct a laboratory value, across the cut of the clinical model."""
    line = next(line for line in (study.folder / "patients.csv").read_text().splitlines() if line.startswith("N02,"))
    _, label, cohort, afp, sex = line.split(",")
    other = "20" if afp == "900" else "900"
    study.edit(line, f"N02,{label},{cohort},{other},{sex}", file="patients.csv")


def new_definition(study: SmallStudy, _: Installed) -> None:
    """Ask for other bins of grey levels."""
    study.edit("bin_width = 25", "bin_width = 20")


def new_feature_library(_: SmallStudy, installed: Installed) -> None:
    """Install another release of a library that decides feature values."""
    installed("PyWavelets", "99.1")


def new_learning_library(_: SmallStudy, installed: Installed) -> None:
    """Install another release of a library that decides fitted models."""
    installed("scikit-learn", "99.1")


def erased_patient(study: SmallStudy, _: Installed) -> None:
    """Erase a training patient from the store, and take the patient out of the cohort table."""
    erase_patient(study.store, "N03")
    line = next(line for line in (study.folder / "patients.csv").read_text().splitlines() if line.startswith("N03,"))
    study.edit(f"{line}\n", "", file="patients.csv")


def nothing(_: SmallStudy, __: Installed) -> None:
    """Change nothing."""


Installed = Callable[[str, str], None]


class Expected(NamedTuple):
    """What a change recomputes, on 24 patients with two phases and two models."""

    extractions: int
    models: dict[str, tuple[str, ...]]
    """The models to fit again, and the parts of what they read that differ."""
    datasets: int
    reports: int


CHANGES = {
    nothing: Expected(0, {}, 0, 0),
    new_patient: Expected(2, {"cr": ("patients", "clinical"), "radiomics_knn": ("patients", "features")}, 2, 1),
    changed_mask: Expected(1, {"radiomics_knn": ("features",)}, 1, 1),
    corrected_value: Expected(0, {"cr": ("clinical",)}, 1, 1),
    new_definition: Expected(48, {"radiomics_knn": ("features", "settings")}, 1, 1),
    new_feature_library: Expected(48, {"radiomics_knn": ("features",)}, 1, 1),
    new_learning_library: Expected(0, {"cr": ("libraries",), "radiomics_knn": ("libraries",)}, 0, 0),
    erased_patient: Expected(0, {"cr": ("patients", "clinical"), "radiomics_knn": ("patients", "features")}, 2, 0),
}


@pytest.fixture
def installed(tmp_path, monkeypatch) -> Installed:
    """Return a function that installs another release of a library, as far as Python's metadata tell."""

    def install(library: str, version: str) -> None:
        folder = tmp_path / "site" / f"{library.replace('-', '_').lower()}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {library}\nVersion: {version}\n")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))

    return install


def counted(plan: Plan) -> Expected:
    """Return a plan's counts."""
    return Expected(
        plan.extractions, {each.model: each.because for each in plan.models}, len(plan.datasets), len(plan.reports)
    )


def to_fit(study: SmallStudy) -> set[str]:
    """Return the models that ``radzoo train`` would fit: the question that it asks itself before it fits any."""
    snapshot = study.snapshot
    asked = stored_study(snapshot, study.study_id)
    return {plan.model for plan in plan_trainings(snapshot, asked, asked.models) if plan.current_version is None}


def stale_in_sql(study: SmallStudy) -> set[str]:
    """Return the models that SQL marks."""
    return {row["model"] for row in study.sql("select model from models where is_stale")}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_recomputes_what_the_plan_says(study, installed, change):
    """The dry runs' counts are the table's; carried out, rows and extractions are those, and so are the models."""
    change(study, installed)
    expected = CHANGES[change]
    forecast = study.ingest(dry_run=True)
    assert counted(forecast.plan) == expected
    carried_out = study.ingest()
    assert forecast.changes == carried_out.changes
    assert counted(plan_of_refresh(study.store, None)) == expected
    receipts = study.stage_every_set()
    assert len(receipts) == expected.extractions
    refresh(study.store, study.study_id, workers=1)
    assert stale_in_sql(study) == set(expected.models)
    # Of the other library nothing but its number is installed: its values, and so the table, are the same.
    assert to_fit(study) == (set() if change is new_feature_library else set(expected.models))
    assert plan_of_refresh(study.store, None).extractions == 0


def test_the_document_has_the_counts_of_these_tests():
    """Each line of the table in docs/changes.md is one of the changes, with its counts."""
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| ([^|]*) \| (\d+) \| (\d+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    documented = {name: Expected(int(n), _models(text), int(d), int(r)) for name, n, text, d, r in rows}
    assert documented == {change.__name__.replace("_", " "): each for change, each in CHANGES.items()}


def _models(text: str) -> dict[str, tuple[str, ...]]:
    found = re.findall(r"`(\w+)` \(([\w, ]+)\)", text)
    return {model: tuple(parts.split(", ")) for model, parts in found}


def test_rows_of_each_kind_are_counted(study, capsys):
    """One corrected value is one row superseded; the answer says so, and what becomes stale, and nothing is written."""
    corrected_value(study, lambda *_: None)
    before = files_of(study)
    code, out, _ = study.ask(capsys, "ingest", study.file, "--dry-run")
    assert code == 0
    assert "clinical: 0 rows to be added, 1 superseded, 0 removed" in out
    assert "becomes stale: model changing/cr@1 (clinical)" in out
    assert "to be computed: 0 extractions, up to 1 model to fit, 1 report" in out
    assert files_of(study) == before
    assert study.ingest(dry_run=True).changes == {"clinical": Changes(changed=1, unchanged=47)}


def files_of(study: SmallStudy) -> dict[str, tuple[int, bytes]]:
    """Return all files of a study, its store and the folder around, with their times and bytes."""
    found = (file for file in study.folder.parent.rglob("*") if file.is_file())
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in found}


def test_plans_write_nothing_not_even_a_lock(study, capsys, tmp_path, monkeypatch):
    """Every byte and time stays, no file comes, and the copy that a plan is made on is gone afterwards."""
    new_patient(study, lambda *_: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = files_of(study)
    for arguments in (["ingest", study.file, "--dry-run"], ["refresh", "--dry-run"], ["refresh", "--check"]):
        study.ask(capsys, *arguments)
        assert files_of(study) == before, arguments
    assert list(tmp_path.iterdir()) == []


def test_check_leaves_with_five_where_something_would_change(study, capsys):
    """Both verbs leave with 0 where all is as it was; with 5 for a new row, missing features, or a stale model."""
    assert study.ask(capsys, "ingest", study.file, "--check")[0] == 0
    assert study.ask(capsys, "refresh", "--check")[0] == 0
    changed_mask(study, lambda *_: None)
    assert study.ask(capsys, "ingest", study.file, "--check")[0] == 5
    study.ingest()
    assert study.ask(capsys, "ingest", study.file, "--check")[0] == 5
    assert study.ask(capsys, "refresh", "--check")[0] == 5
    study.refresh_without_prefect()
    code, out, _ = study.ask(capsys, "refresh", "--check")
    assert (code, "stale already: model changing/radiomics_knn@1 (features)" in out) == (5, True)


def test_a_model_that_was_never_trained_is_to_be_fitted(study, capsys):
    """A model that came into the study file has no version yet: its fit is planned before and after the ingest."""
    study.edit("[models.radiomics_knn]", "[models.radiomics_knn]\n\n[models.radiomics_lr]")
    code, out, _ = study.ask(capsys, "ingest", study.file, "--check")
    assert (code, "never trained: radiomics_lr" in out) == (5, True)
    study.ingest()
    code, out, _ = study.ask(capsys, "refresh", "--check")
    assert code == 5
    assert "to be computed: 0 extractions, 1 model to fit, 1 report" in out


def test_another_studys_commit_leaves_a_report_as_it_is(study):
    """A report is stale where rows of its study or of its patients came or went, and nobody else's."""
    with commit_to(study.store, "ingest another") as commit:
        commit.put("patients", [{"patient": "another"}])
        commit.put("study_patients", [{"study": "another", "patient": "another"}])
    assert plan_of_refresh(study.store, "changing").reports == ()
    with commit_to(study.store, "correct a value of this one") as commit:
        row = study.snapshot.rows("clinical", variable="afp")[0]
        commit.put("clinical", [{**row, "value": row["value"] + 1}])
    assert len(plan_of_refresh(study.store, "changing").reports) == 1


def test_a_first_ingest_is_planned_without_a_store(study, tmp_path):
    """Where there is no store, all rows are to be added and all features to be computed; no folder is made."""
    report = ingest(study.file, tmp_path / "none", workers=1, dry_run=True)
    assert report.changes["masks"] == Changes(added=48)
    assert counted(report.plan) == Expected(48, {}, 0, 0)
    assert not (tmp_path / "none").exists()


def test_a_change_that_leaves_the_table_is_looked_at_once(study):
    """A value on the same side of the cut changes no table; a radiomics model's value none of its columns."""
    from flows.train.run import train as train_study

    corrected = "N02,0,training,21," if "N02,0,training,20," in (study.folder / "patients.csv").read_text() else ""
    study.edit(
        "N02,0,training,20," if corrected else "N02,0,training,900,",
        corrected or "N02,0,training,901,",
        file="patients.csv",
    )
    study.ingest()
    assert stale_in_sql(study) == to_fit(study) == set()
    # Another set behind the first one decides nothing; other settings that build the same pipeline are looked at.
    study.edit("[models.radiomics_knn]", '[models.radiomics_knn]\nfeature_set = "quick"')
    study.ingest()
    assert (stale_in_sql(study), to_fit(study)) == ({"radiomics_knn"}, set())
    assert [each.trained for each in train_study(study.store, "changing")] == [False, False]
    assert stale_in_sql(study) == set()


def test_a_model_of_an_earlier_release_is_not_known_until_train_looks(study):
    """Without hashes of what it was trained from nobody says that a model is current; training writes them."""
    from flows.train.run import train as train_study
    from store.commits.commit import commit_to

    rows = study.snapshot.rows("models", model="cr")
    without = re.sub(r',"read":\{[^}]*\}', "", rows[0]["summary"])
    with commit_to(Store(study.store_root), "as of an earlier release") as commit:
        commit.put("models", [rows[0] | {"summary": without}])
    assert study.sql("select is_stale from models where model = 'cr'") == [{"is_stale": None}]
    assert plan_of_refresh(study.store, None).untold == ("changing/cr",)
    train_study(study.store, "changing", ["cr"])
    assert study.sql("select is_stale from models where model = 'cr'") == [{"is_stale": False}]
