"""Features, datasets and models read from Python: the same as the command line gives, and the page's examples run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from sklearn.pipeline import Pipeline

from schemas.errors import ContractError, NotFoundError, UsageError
from schemas.features.names import with_phase
from store import Model, Predicted, open_store
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.models.saved import pinned_rows

PAGE = Path(__file__).parents[3] / "docs" / "python.md"
MEAN = "original_firstorder_Mean"

LIGHT = """
import sys
from store import open_store
with open_store(sys.argv[1]) as s:
    s.features("quick", wide=True)
    s.features("quick@1", study="small", phases=["DP"])
print(*(name for name in ("polars", "pandas", "prefect", "sklearn", "torch", "flows", "zoo") if name in sys.modules))
"""


@pytest.fixture
def ready(ready_study):
    """Give the study with two phases, opened to read."""
    with open_store(ready_study.store_root) as s:
        yield s


@pytest.fixture
def trained(trained_study):
    """Give the study with three models, opened to read."""
    with open_store(trained_study.store_root) as s:
        yield s


def test_names_that_come_one_by_one_are_all_taken(ready):
    """A generator of columns or phases asks for the same as a list."""
    listed = ready.features("quick", columns=[MEAN], phases=["DP"]).arrow()
    given = ready.features("quick", columns=(each for each in [MEAN]), phases=iter(["DP"])).arrow()
    assert given.equals(listed)
    assert (listed.num_rows, MEAN in listed.column_names) == (4, True)


@pytest.mark.parametrize("options", [{"include_training": "no"}, {"explain": 1}, {"patients": 5}])
def test_a_prediction_takes_no_other_value_for_true(trained, options):
    """What is neither true nor false, or no name, is refused: the text "no" does not let training patients in."""
    with pytest.raises(UsageError, match=r"True or False|are names"):
        trained.model("cr").predict(**options)


def test_every_example_of_the_page_runs(trained_study, capsys):
    """The blocks of docs/python.md run one after another, on a store with other names than the example's."""
    text = PAGE.read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 8
    names = {
        "demo/store": str(trained_study.store_root),
        "hcc-early-recurrence": "tried",
        "hcc-cemri": "quick",
        '["AP", "PVP"]': '["AP"]',
        '["PVP"]': '["AP"]',
    }
    given: dict[str, object] = {}
    for block in blocks:
        for name, other in names.items():
            block = block.replace(name, other)
        exec(compile(block, str(PAGE), "exec"), given)  # noqa: S102  (the page is this project's own)
    assert "# cr of study tried" in capsys.readouterr().out
    assert isinstance(given["board"], pl.DataFrame)
    given["s"].close()


def test_the_page_names_every_parameter():
    """Each public method and each of its parameters stands on the page."""
    import inspect

    from store import StoreReader

    page = PAGE.read_text()
    methods = {name: each for name, each in vars(StoreReader).items() if not name.startswith("_")}
    assert sorted(name for name in methods if f".{name}" not in page) == []
    for method in (StoreReader.features, StoreReader.model, Model.predict):
        assert [name for name in inspect.signature(method).parameters if name != "self" and name not in page] == []


def test_one_row_a_mask(ready, ready_study):
    """All primary masks of the study, ordered by their keys, with the values that SQL gives."""
    found = ready.features("quick@1", study="small").pl()
    assert found.columns[:7] == ["patient", "exam", "phase", "lesion", "reader", "reading", "extraction_id"]
    assert found.select("patient", "phase").rows() == [(p, f) for p in ready_study.patients for f in ("AP", "DP")]
    asked = ready.sql("select * exclude (grey_levels, zero_fraction) from quick order by patient, exam, phase").pl()
    assert found.equals(asked.select(found.columns))
    assert ready.features("quick").pl().equals(found)


def test_one_row_a_lesion(ready):
    """Wide, the phases stand side by side in the order that was asked for, as models read them."""
    long = ready.features("quick").pl()
    wide = ready.features("quick", phases=["DP", "AP"], columns=[MEAN], wide=True).pl()
    assert wide.columns == ["patient", "exam", "lesion", with_phase("DP", MEAN), with_phase("AP", MEAN)]
    for phase in ("AP", "DP"):
        values = long.filter(pl.col("phase") == phase)[MEAN].to_list()
        assert wide[with_phase(phase, MEAN)].to_list() == values
    every = ready.features("quick", wide=True, primary=False)
    assert every.columns[:5] == ("patient", "exam", "lesion", "reader", "reading")
    assert (len(every), len(every.columns)) == (4, 5 + 2 * (len(long.columns) - 7))


def test_a_phase_that_a_patient_lacks_is_null(small_study):
    """A patient without a mask in one phase has a row in which that phase is missing."""
    small_study.mask_file("P2", "DP").unlink()
    small_study.ingest()
    small_study.refresh_without_prefect()
    with open_store(small_study.store_root) as s:
        wide = s.features("quick", columns=MEAN, wide=True).pl()
    assert wide["patient"].to_list() == ["P1", "P2", "P3", "P4"]
    assert wide[with_phase("DP", MEAN)].is_null().to_list() == [False, True, False, False]
    assert wide[with_phase("AP", MEAN)].null_count() == 0


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"feature_set": "quik"}, NotFoundError, r"no feature set 'quik'; nearest: quick@1"),
        ({"feature_set": "quick@2"}, NotFoundError, "no feature set 'quick@2'"),
        ({"feature_set": "Quick!"}, ContractError, "is no feature set name"),
        ({"study": "other"}, NotFoundError, "there is no study 'other'"),
        ({"phases": ["PVP"]}, NotFoundError, "no values of phase 'PVP'; it has values of AP, DP"),
        ({"columns": ["original_firstorder_Maen"]}, NotFoundError, f"no feature .*nearest: {MEAN}"),
    ],
)
def test_what_is_not_there_is_named(ready, arguments, kind, message):
    """A misspelt set, study, phase or feature is no empty answer."""
    with pytest.raises(kind, match=message):
        ready.features(**({"feature_set": "quick"} | arguments))


def test_a_study_without_values_says_how_to_get_them(small_study):
    """Before a refresh there is nothing to read: the error says so."""
    small_study.ingest()
    with open_store(small_study.store_root) as s, pytest.raises(NotFoundError, match="there is no feature set 'quick'"):
        s.features("quick")


def test_reading_features_loads_no_data_frames(ready_study):
    """Neither polars, pandas nor anything above the store is loaded for values of features."""
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, str(ready_study.store_root)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_an_imported_table_is_read_alike(tmp_path, monkeypatch):
    """A feature table from elsewhere gives its rows by the same call, phases side by side too."""
    from flows.cli.main import exit_code

    # The study file is written below the working directory.
    monkeypatch.chdir(tmp_path)
    lines = ["patient,y,a,b c", *(f"p{n},{n % 2},{n / 3!r},{n}" for n in range(8))]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    options = ("--patient", "patient", "--outcome", "y", "--positive", "1")
    root = tmp_path / "store"
    assert exit_code(["--store", str(root), "ingest", "--features", str(tmp_path / "table.csv"), *options]) == 0
    with open_store(root) as s:
        (named,) = s.feature_sets().rows()
        found = s.features(named["feature_set"])
        assert found.columns[-2:] == ("a", "b c")
        assert found.pl()["a"].to_list() == [n / 3 for n in range(8)]
        wide = s.features(named["name"], columns=["b c"], wide=True)
        assert [len(wide), wide.columns[-1].endswith("__b c")] == [8, True]


def test_a_dataset_is_the_table_that_was_trained_from(trained, trained_study):
    """Its rows are those of the pinned file, by the whole id or how it begins."""
    (row, *_) = trained.datasets().rows()
    found = trained.dataset(row["dataset_id"][:8])
    assert (found.id, found.study, found.split) == (row["dataset_id"], "tried", "fixed")
    assert (found.commit, found.sha256, found.sql) == (row["commit_id"], row["sha256"], row["sql"])
    assert found.inputs["split"] == "fixed"
    assert found.pl().equals(pinned_rows(trained_study.snapshot, row["dataset_id"]))


@pytest.mark.parametrize("model", ["cr", "radiomics_lr", "radiomics_knn"])
def test_a_model_says_what_the_benchmark_stored(trained, model):
    """Probabilities of validation patients are those of the view, with the contributions that were asked for."""
    stored = trained.sql(
        "select patient, probability from predictions where model = $m and cohort = 'validation' order by patient",
        {"m": model},
    ).pl()
    found = trained.model(model).predict(patients=stored["patient"].to_list(), explain=True)
    assert isinstance(found, Predicted)
    assert found.pl()["probability"].to_list() == stored["probability"].to_list()
    assert found.pl()["cohort"].unique().to_list() == ["validation"]
    assert (found.pl()["probability"] >= found.threshold).to_list() == found.pl()["positive"].to_list()
    assert "contribution:baseline" in found.columns
    assert (found.study, found.commit, found.warnings) == ("tried", trained.commit, ())


def test_a_model_says_what_it_is(trained, trained_study):
    """Its facts are those of the catalogue; its estimator is the fitted one, and its card the folder's."""
    model = trained.model("tried/radiomics_lr@1")
    row = trained_study.snapshot.row("models", model="radiomics_lr")
    assert (model.study, model.name, model.version) == ("tried", "radiomics_lr", 1)
    assert (model.threshold, model.dataset, model.sha256) == (row["threshold"], row["dataset_id"], row["sha256"])
    assert (model.mark, model.trained_at) == (None, "2026-01-01T00:00:00+00:00")
    assert isinstance(model.estimator.estimator_, Pipeline)
    assert model.columns == tuple(model.estimator.feature_names_in_)
    assert model.summary["features"]
    assert model.card == (trained_study.store_root / row["path"] / "card.md").read_text()
    assert repr(model) == "<Model: tried/radiomics_lr@1>"
    assert trained.model("radiomics_lr", study="tried", version=1).sha256 == model.sha256


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("zz", {}, NotFoundError),
        ("cr", {"version": 7}, NotFoundError),
        ("cr", {"study": "other"}, NotFoundError),
        ("cr", {"version": 0}, UsageError),
        ("cr", {"version": "1"}, UsageError),
        ("cr@1", {"version": 2}, UsageError),
        ("tried/cr", {"study": "other"}, UsageError),
        ("cr@zero", {}, UsageError),
    ],
)
def test_a_model_that_is_not_there(trained, name, options, kind):
    """An unknown model, version or study, and a name that contradicts a parameter, are refused."""
    with pytest.raises(kind):
        trained.model(name, **options)


def test_training_patients_are_refused_and_marked(trained):
    """Without being asked to, a model answers for nobody that it was trained on."""
    model = trained.model("cr")
    with pytest.raises(ContractError, match="trained on 40 of these patients"):
        model.predict()
    cohorts = model.predict(include_training=True).pl()["cohort"].to_list()
    assert cohorts == ["training"] * 40 + ["validation"] * 20
    assert len(model.predict(patients="T41")) == 1
    with pytest.raises(UsageError, match="patients is empty"):
        model.predict(patients=[])
    with pytest.raises(NotFoundError, match="no patient 'nobody'"):
        model.predict(patients=["nobody"])


def test_a_mark_is_a_warning(trained_study, tmp_path):
    """What happened to a model since is seen by whoever asks it, and stands before its card."""
    root = shutil.copytree(trained_study.store_root, tmp_path / "store")
    store = Store(root)
    row = {name: value for name, value in Snapshot(store).row("models", model="cr").items() if name != "added_commit"}
    with commit_to(store, "mark") as commit:
        commit.put("models", [row | {"mark": "trained on a patient who was erased"}])
    store.close()
    with open_store(root) as s:
        model = s.model("cr")
        with pytest.warns(UserWarning, match="is marked: trained on a patient who was erased") as warned:
            found = model.predict(patients=["T50"])
        assert warned[0].filename == __file__
        assert len(found.warnings) == 1
        assert model.card.startswith("> Marked: trained on a patient who was erased\n\n# cr")
    with open_store(root, as_of=3) as s:
        assert s.model("cr").mark is None


def test_a_tampered_model_is_not_asked(trained_study, tmp_path):
    """A folder that is not what the catalogue has on record is refused before anything of it is made."""
    root = shutil.copytree(trained_study.store_root, tmp_path / "store")
    with open_store(root) as s:
        (path,) = [row["path"] for row in s.models().rows() if row["model"] == "cr"]
        with (root / path / "estimator.skops").open("ab") as stream:
            stream.write(b" ")
        with pytest.raises(ContractError, match="changed after they were saved"):
            s.model("cr").predict(patients=["T50"])


def test_a_model_of_a_closed_store_answers_no_more(trained_study):
    """A model reads its patients from the store, which must be open."""
    with open_store(trained_study.store_root) as s:
        model = s.model("cr")
    with pytest.raises(UsageError, match="the store is closed"):
        model.predict(patients=["T50"])
