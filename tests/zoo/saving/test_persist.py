"""Models as folders: bit-equal in another process, nothing changed and nothing foreign is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from pydantic import JsonValue
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from schemas.errors import ContractError, NotFoundError
from zoo.logistic.clinical import ClinicalLogisticRegression
from zoo.registry import model_spec
from zoo.saving.persist import load_model, save_model

ROOT = Path(__file__).parents[3]
METADATA: dict[str, JsonValue] = {"columns": ["b", "a"], "threshold": 0.4375, "dataset": None}
CARD = "# cr of study s\n"

NAMES = ("cr", "radiomics_lr")
FIT_SAVE_LOAD_AND_PREDICT = """
import json, sys
from pathlib import Path
import numpy as np
import polars as pl
from zoo.registry import model_spec
from zoo.saving.persist import load_model, save_model
given, own = Path(sys.argv[1]), Path(sys.argv[2])
metadata = {"columns": ["b", "a"], "threshold": 0.4375, "dataset": None}
table = pl.read_parquet(given / "table.parquet")
for name, sha256 in json.loads(sys.argv[3]).items():
    loaded = load_model(given / name, sha256)
    probabilities = loaded.estimator.predict_proba(table.drop("y"))
    model = model_spec(name).build(random_state=0).fit(table.drop("y"), table["y"])
    print(save_model(own / name, model, metadata))
    np.save(own / f"{name}.npy", probabilities)
"""


def fresh_process(code: str, *arguments: object) -> str:
    """Return what a new interpreter printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def table_with_outcome(path: Path) -> pl.DataFrame:
    """Return, and write to path, 70 patients with 30 columns, three of them related to the outcome y."""
    random = np.random.default_rng(0)
    X = random.normal(size=(70, 30))
    y = X[:, :3].sum(axis=1) + random.logistic(size=70) > 0
    table = pl.DataFrame(X, schema=[f"f{column}" for column in range(30)]).with_columns(y=pl.Series(y.astype(int)))
    table.write_parquet(path)
    return table


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, str]:
    """Return the folder and hash of a saved clinical model."""
    table = table_with_outcome(tmp_path / "table.parquet")
    model = ClinicalLogisticRegression().fit(table.select("f0", "f1"), table["y"])
    folder = tmp_path / "models" / "cr" / "1"
    return folder, save_model(folder, model, METADATA, CARD)


@dataclass(frozen=True)
class Elsewhere:
    """Models saved here, and what two other processes read of them and made of the same table."""

    folder: Path
    table: pl.DataFrame
    models: dict[str, Any]
    saved: dict[str, str]
    """The hash that each was saved under here."""
    fitted: dict[str, str]
    """The hash of the other process's own fit."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """Return models that were saved here, and fitted and read in another process; tests only read them."""
    folder = tmp_path_factory.mktemp("elsewhere")
    table = table_with_outcome(folder / "table.parquet")
    models = {name: model_spec(name).build(random_state=0).fit(table.drop("y"), table["y"]) for name in NAMES}
    saved = {name: save_model(folder / name, model, METADATA) for name, model in models.items()}
    printed = fresh_process(FIT_SAVE_LOAD_AND_PREDICT, folder, folder / "a", json.dumps(saved)).split()
    return Elsewhere(folder, table, models, saved, dict(zip(NAMES, printed, strict=True)))


@pytest.mark.parametrize("name", NAMES)
def test_another_process_predicts_the_same(elsewhere: Elsewhere, name: str) -> None:
    """A model loaded in a fresh process gives bit-equal probabilities; tables and metadata are kept."""
    model, sha256 = elsewhere.models[name], elsewhere.saved[name]
    expected = model.predict_proba(elsewhere.table.drop("y"))
    np.testing.assert_array_equal(np.load(elsewhere.folder / "a" / f"{name}.npy"), expected)
    loaded = load_model(elsewhere.folder / name, sha256)
    assert loaded.metadata == METADATA
    assert loaded.sha256 == sha256
    assert "scikit-learn" in loaded.libraries
    if name == "cr":
        assert loaded.estimator.estimator_.multivariable_ == model.estimator_.multivariable_
        assert loaded.estimator.estimator_.steps_ == model.estimator_.steps_
        assert loaded.estimator.estimator_.factors_ == model.estimator_.factors_ != []


@pytest.mark.parametrize("name", NAMES)
def test_hash_is_deterministic(elsewhere: Elsewhere, tmp_path: Path, name: str) -> None:
    """The same table fitted and saved in two processes, and saved again after loading, has one hash."""
    here = elsewhere.saved[name]
    assert elsewhere.fitted[name] == here
    assert len(here) == 64
    assert save_model(tmp_path / "c", load_model(elsewhere.folder / "a" / name).estimator, METADATA) == here


def test_hash_covers_model_and_metadata(saved: tuple[Path, str], tmp_path: Path) -> None:
    """Another threshold or another estimator has another hash."""
    folder, sha256 = saved
    estimator = load_model(folder).estimator
    assert save_model(tmp_path / "other", estimator, {**METADATA, "threshold": 0.5}) != sha256
    estimator.coef_ = estimator.coef_ + 1e-12
    assert save_model(tmp_path / "third", estimator, METADATA) != sha256


@pytest.mark.parametrize("name", ["estimator.skops", "model.json", "card.md"])
def test_changed_file_is_refused(saved: tuple[Path, str], name: str) -> None:
    """One changed byte in any file, the card too, is refused by the hash."""
    folder, sha256 = saved
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(ContractError, match="changed after they were saved"):
        load_model(folder, sha256)


def test_added_or_missing_file_is_refused(saved: tuple[Path, str]) -> None:
    """Any other file beside the model changes its hash, and so does a card that is gone."""
    folder, sha256 = saved
    (folder / "weights.npy").write_bytes(b"")
    with pytest.raises(ContractError, match="changed after they were saved"):
        load_model(folder, sha256)
    (folder / "weights.npy").unlink()
    assert load_model(folder, sha256).card == CARD
    (folder / "card.md").unlink()
    with pytest.raises(ContractError, match="changed after they were saved"):
        load_model(folder, sha256)


def test_a_folder_of_the_first_format_is_read(tmp_path: Path) -> None:
    """A model without a card, its format 1, is loaded, and its hash is over the two files there are."""
    model = ClinicalLogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    folder = tmp_path / "model"
    save_model(folder, model, METADATA)
    record = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(record | {"format": 1}))
    loaded = load_model(folder)
    assert loaded.card is None
    assert load_model(folder, loaded.sha256).metadata == METADATA


def foreign_pipeline() -> Any:
    """Return a fitted pipeline that calls a function of the operating system on its input."""
    pipeline = make_pipeline(FunctionTransformer(None), LogisticRegression())
    pipeline.fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    pipeline[0].func = os.system
    return pipeline


def test_foreign_type_is_not_loaded(saved: tuple[Path, str]) -> None:
    """A file with a type outside the allow-list is refused by that type's name, with or without a hash."""
    folder, _ = saved
    skops.io.dump(foreign_pipeline(), folder / "estimator.skops")

    with pytest.raises(ContractError, match=r"posix\.system"):
        load_model(folder)


def test_foreign_type_is_not_saved(tmp_path: Path) -> None:
    """What could not be loaded is not saved, and nothing is left behind."""
    with pytest.raises(ContractError, match=r"posix\.system"):
        save_model(tmp_path / "models" / "1", foreign_pipeline(), METADATA)
    assert list(tmp_path.iterdir()) == []


def test_saved_model_is_never_changed(saved: tuple[Path, str]) -> None:
    """Saving the same model again gives its hash, saving another there is refused and leaves the first."""
    folder, sha256 = saved
    estimator = load_model(folder, sha256).estimator
    assert save_model(folder, estimator, METADATA, CARD) == sha256
    with pytest.raises(ContractError, match="another model already"):
        save_model(folder, estimator, {"threshold": 0.1})
    assert load_model(folder, sha256).metadata == METADATA
    assert [path.name for path in folder.parent.iterdir()] == ["1"]


def test_metadata_that_are_not_json(tmp_path: Path) -> None:
    """Not-a-number in the metadata is refused, as JSON has none."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ContractError, match="not JSON"):
        save_model(tmp_path / "model", model, {"threshold": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_no_model(tmp_path: Path) -> None:
    """A folder without a model is not found."""
    with pytest.raises(NotFoundError, match="no model"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("estimator.skops", b"PK", "not a skops archive"),
        ("model.json", b"{", "not JSON"),
        ("model.json", json.dumps({"format": 99}).encode(), "formats 1 to 3 only"),
    ],
)
def test_unreadable_files(saved: tuple[Path, str], name: str, content: bytes, message: str) -> None:
    """Files that are not what they should be end in a contract error that names the file."""
    folder, _ = saved
    (folder / name).write_bytes(content)
    with pytest.raises(ContractError, match=message) as error:
        load_model(folder)
    assert error.value.where == str(folder / name)
