"""A model of an opened store, as Python users meet it: what it is, and what it says of patients.

The store gives it (`store.reading.model`) and knows this module by name alone.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import polars as pl

from schemas.documents.model_summary import ModelSummary
from schemas.errors import UsageError
from schemas.foreign_text import markdown_text
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.reading.answer import Predicted
from store.reading.arguments import flag_argument, names_argument
from store.reading.model import Model
from zoo.models.prediction import Predictions, predictions
from zoo.models.saved import SavedModel, stored_model
from zoo.saving.named_model import model_row

__all__ = ["OpenedModel", "open_model", "prediction_table"]

_SCHEMA = pl.Schema(
    {
        "patient": pl.String(),
        "cohort": pl.String(),
        "probability": pl.Float64(),
        "positive": pl.Boolean(),
        "reason": pl.String(),
    }
)


def open_model(
    snapshot: Callable[[], Snapshot], name: str, *, study: str | None = None, version: int | None = None
) -> OpenedModel:
    """Return a trained model by its name.

    Parameters
    ----------
    snapshot : callable
        Gives the store as of a commit, or refuses where it was closed.
    name : str
        ``[STUDY/]MODEL[@VERSION]``.
    study : str, optional
        The study that it was trained in.
    version : int, optional
        The newest one where absent.

    Raises
    ------
    UsageError
        If the name is none, or says another study or version than the parameters.
    NotFoundError
        If there is no such model, or several studies have one and none is named.
    """
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 1):
        raise UsageError(f"{version!r} is no version: it is a whole number from 1", hint="version=1, or leave it out")
    if version is not None and "@" not in name:
        row = model_row(snapshot(), f"{name}@{version}", study)
    else:
        row = model_row(snapshot(), name, study)
    for parameter, given, named in (("study", study, row["study"]), ("version", version, row["version"])):
        if given is not None and given != named:
            raise UsageError(
                f"'{name}' and {parameter}={given!r} say different things", hint="name the study and the version once"
            )
    return OpenedModel(snapshot, row)


class OpenedModel(Model):
    """A trained model of an opened store.

    Parameters
    ----------
    snapshot : callable
        Gives the store as of a commit, or refuses where it was closed.
    row : mapping
        The model's row of the catalogue.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], row: Mapping[str, Any]) -> None:
        self._snapshot = snapshot
        self._row = row

    def __repr__(self) -> str:
        return f"<Model: {self.study}/{self.name}@{self.version}>"

    @property
    def study(self) -> str:
        """Return the study that it was trained in."""
        return str(self._row["study"])

    @property
    def name(self) -> str:
        """Return the member of the zoo, or the variant, that it is."""
        return str(self._row["model"])

    @property
    def version(self) -> int:
        """Return its version."""
        return int(self._row["version"])

    @property
    def threshold(self) -> float:
        """Return the probability from which a patient counts as positive."""
        return float(self._row["threshold"])

    @property
    def mark(self) -> str | None:
        """Return what happened to it since; None where nothing did."""
        mark: str | None = self._row["mark"]
        return mark

    @property
    def dataset(self) -> str:
        """Return the id of the dataset that it was trained from."""
        return str(self._row["dataset_id"])

    @property
    def trained_at(self) -> str:
        """Return when it was trained, UTC."""
        return str(self._row["trained_at"])

    @property
    def sha256(self) -> str:
        """Return the hash of its folder."""
        return str(self._row["sha256"])

    @cached_property
    def summary(self) -> ModelSummary:
        """Return what it learned."""
        found: ModelSummary = json.loads(self._row["summary"])
        return found

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that it reads, in their order."""
        return self._saved.inputs.columns

    @property
    def estimator(self) -> Any:
        """Return the fitted estimator."""
        return self._saved.loaded.estimator

    @property
    def card(self) -> str:
        """Return its card, Markdown, its mark before it; empty where a former release saved it without one."""
        card = self._saved.loaded.card or ""
        return card if self.mark is None else f"> Marked: {markdown_text(self.mark)}\n\n{card}"

    @cached_property
    def _saved(self) -> SavedModel:
        return stored_model(self._snapshot(), self._row)

    def predict(
        self,
        study: str | None = None,
        *,
        patients: Sequence[str] | None = None,
        include_training: bool = False,
        explain: bool = False,
    ) -> Predicted:
        """Return its probabilities for patients of a study, as `store.Model` describes."""
        snapshot = self._snapshot()
        patients = names_argument("patients", patients)
        flags = {
            "include_training": flag_argument("include_training", include_training),
            "explain": flag_argument("explain", explain),
        }
        own = stored_study(snapshot, study or self.study)
        # No patients at all is a question too; to the function below it means all of them.
        if patients is not None and not patients:
            raise UsageError("patients is empty", hint="name patients, or leave it out for all of the study's")
        found = predictions(snapshot, own, self._saved, patients=patients or (), **flags)
        for warning in found.warnings:
            warnings.warn(warning, stacklevel=2)
        return Predicted(
            prediction_table(found).to_arrow(),
            study=found.study,
            threshold=found.threshold,
            commit=found.commit_id,
            warnings=found.warnings,
            contribution_kind=found.contribution_kind,
            contribution_unit=found.contribution_unit,
        )


def prediction_table(found: Predictions) -> pl.DataFrame:
    """Return predictions as a table, a row a patient; contributions are columns ``contribution:COLUMN``."""
    rows, schema = [], dict(_SCHEMA)
    for each in found.patients:
        parts = {f"contribution:{name}": value for name, value in (each.contributions or {}).items()}
        schema |= dict.fromkeys(parts, pl.Float64())
        rows.append({name: getattr(each, name) for name in _SCHEMA} | parts)
    return pl.DataFrame(rows, schema=schema)
