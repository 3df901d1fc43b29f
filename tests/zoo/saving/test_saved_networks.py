"""Networks as folders: weights in a file of their own, bit-equal in another process, none that was changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
from builders.fused_tables import QUICK, fused_table

from schemas.errors import ContractError
from schemas.study.models import ModelSettings
from zoo.registry import model_spec
from zoo.saving.persist import load_model, save_model

PREDICT = """
import sys
from pathlib import Path
import numpy as np
import polars as pl
from zoo.saving.persist import load_model
model = load_model(Path(sys.argv[2]), sys.argv[3])
np.save(sys.argv[4], model.estimator.predict_proba(pl.read_parquet(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory):
    """Return a folder with three saved models of networks, the table they know, and their hashes."""
    folder = tmp_path_factory.mktemp("networks")
    table, labels = fused_table()
    table.write_parquet(folder / "table.parquet")
    models = {}
    for name in ("dl_resnet10", "dlrcr", "late_fusion"):
        given = table.select(pl.col("^.*__region$")) if name == "dl_resnet10" else table
        estimator = model_spec(name).build(ModelSettings(network=QUICK), random_state=3).fit(given, labels)
        models[name] = (estimator, save_model(folder / name, estimator, {"threshold": 0.5}))
    return folder, table, models


@pytest.mark.parametrize("name", ["dl_resnet10", "dlrcr", "late_fusion"])
def test_weights_have_their_own_file(saved, name: str) -> None:
    """The archive holds no array of the network; the weights are a plain safetensors file with readable names."""
    folder, table, models = saved
    estimator, sha256 = models[name]
    network = estimator.network_ if name == "late_fusion" else estimator
    assert (folder / name / "weights.safetensors").read_bytes() == network.weights_
    tensors = safetensors.numpy.load_file(folder / name / "weights.safetensors")
    assert sum(tensors[each].size for each in tensors if "running" not in each and "tracked" not in each) == (
        network.n_weights_
    )
    assert "trunks.0.layer2.1.conv2.weight" in tensors
    with zipfile.ZipFile(folder / name / "estimator.skops") as archive:
        assert all(info.file_size < 100_000 for info in archive.infolist() if info.filename != "schema.json")
    record = json.loads((folder / name / "model.json").read_text())
    assert record["format"] == 3
    assert {"torch", "monai", "safetensors"} <= set(record["libraries"])
    loaded = load_model(folder / name, sha256).estimator
    assert repr(loaded) == repr(estimator)
    np.testing.assert_array_equal(loaded.predict_proba(table), estimator.predict_proba(table))
    assert save_model(folder / f"{name}-again", loaded, {"threshold": 0.5}) == sha256


def test_another_process_answers_the_same(saved, tmp_path: Path) -> None:
    """A fused model loaded in a fresh process gives bit-equal probabilities."""
    folder, table, models = saved
    estimator, sha256 = models["dlrcr"]
    arguments = (folder / "table.parquet", folder / "dlrcr", sha256, tmp_path / "p.npy")
    subprocess.run(
        [sys.executable, "-c", PREDICT, *map(str, arguments)],
        check=True,
        env=os.environ | {"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), estimator.predict_proba(table))


@pytest.mark.parametrize("known", [True, False])
def test_changed_weights_are_refused(saved, tmp_path: Path, known: bool) -> None:
    """One changed bit in the weights, or none of them, is refused, also where the folder's hash is not known."""
    _, _, models = saved
    estimator, _ = models["dl_resnet10"]
    sha256 = save_model(tmp_path / "model", estimator, {}) if known else None
    save_model(tmp_path / "model", estimator, {})
    file = tmp_path / "model" / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(ContractError, match="changed after they were saved"):
        load_model(tmp_path / "model", sha256)
    file.unlink()
    with pytest.raises(ContractError, match="changed after they were saved" if known else "weights are missing"):
        load_model(tmp_path / "model", sha256)
