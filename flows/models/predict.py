"""Predict: a saved model applied to patients of a study in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq

from flows.engine.progress import say
from schemas.errors import UsageError
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.models.opened import prediction_table
from zoo.models.prediction import Predictions, predictions
from zoo.models.saved import exported_model, stored_model
from zoo.saving.folders import MANIFEST
from zoo.saving.named_model import model_row

__all__ = ["predict", "refuse_unwritable_file", "write_predictions"]

_SUFFIXES = (".csv", ".parquet", ".json")


def predict(
    store: Store,
    model: str | None,
    study: str | None = None,
    *,
    folder: Path | None = None,
    patients: Sequence[str] = (),
    include_training: bool = False,
    explain: bool = False,
) -> Predictions:
    """Return a saved model's probabilities for patients of a study; nothing is written to the store.

    Parameters
    ----------
    store : Store
        The store that holds the patients.
    model : str or None
        ``[STUDY/]MODEL[@VERSION]`` of this store; None where ``folder`` is given.
    study : str, optional
        The study of the patients; may be left out where the store has one study.
    folder : Path, optional
        An exported model instead of one of the store.
    patients, include_training, explain
        As `zoo.models.prediction.predictions` takes them.
    """
    if (model is None) == (folder is None):
        raise UsageError("name a model of the store or the folder of an exported one", hint="radzoo models list")
    if model is not None and (Path(model) / MANIFEST).is_file():
        raise UsageError(
            "this is the folder of an exported model", where=model, hint=f"radzoo predict --model-folder {model}"
        )
    snapshot = Snapshot(store)
    asked = stored_study(snapshot, study)
    if folder is not None:
        saved = exported_model(snapshot, folder)
    else:
        saved = stored_model(snapshot, model_row(snapshot, str(model)))
    found = predictions(snapshot, asked, saved, patients=patients, include_training=include_training, explain=explain)
    for warning in found.warnings:
        say(f"warning: {warning}")
    return found


def refuse_unwritable_file(out: Path | None) -> None:
    """Refuse a file that could not be written, before anything is computed."""
    if out is None:
        return
    if out.suffix not in _SUFFIXES:
        raise UsageError(f"the file must end in {', '.join(_SUFFIXES)}", where=str(out))
    if not out.parent.is_dir():
        raise UsageError("there is no such folder", where=str(out.parent), hint="make it, or name another --out FILE")
    if out.is_dir():
        raise UsageError("this is a folder", where=str(out), hint="name a file below it")


def write_predictions(found: Predictions, out: Path) -> None:
    """Write predictions to a .csv, .parquet or .json file.

    In the tables a patient's contributions are columns ``contribution:FEATURE``. JSON holds which model it
    was, and Parquet has that in the metadata of its schema, under ``radzoo``.
    """
    if out.suffix == ".json":
        text = json.dumps(asdict(found), ensure_ascii=False, indent=2, allow_nan=False)
        out.write_text(text + "\n", encoding="utf-8")
        return
    table = prediction_table(found).to_arrow()
    if out.suffix == ".csv":
        pyarrow.csv.write_csv(table, out, pyarrow.csv.WriteOptions(quoting_style="needed", quoting_header="needed"))
        return
    of_model = {name: value for name, value in asdict(found).items() if name != "patients"}
    metadata = {**(table.schema.metadata or {}), b"radzoo": json.dumps(of_model).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), out)
