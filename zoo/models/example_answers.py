"""Known answers: inputs of nobody, and what a model said of them when it was saved.

Whether a folder is as it was is told by its hash. Whether a model still says what it said is told by these: an
estimator that was altered together with its hash, and a library that predicts otherwise than the one it was fitted
with, give other probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sklearn.base import BaseEstimator

from schemas.errors import ContractError
from schemas.features.names import PHASE_SEPARATOR
from zoo.fitted_parts import sees_standardised_columns
from zoo.models.contributions import last_step
from zoo.networks.region_columns import is_region_column
from zoo.radiomics.combat import BATCH_PREFIX
from zoo.saving.files import RESTORE

__all__ = ["example_answers", "refuse_other_answers"]

_ROWS = 64
"""Enough for most leaves of the trees; ten columns take six kilobytes."""
_MOST_COLUMNS = 10_000
_MOST_CELLS = 20_000
"""Of a model that is asked as a whole: all its columns are written down."""
_TOLERANCE = 1e-6
"""Processors and releases round differently: about 1e-12 for a probability in double, 1e-7 in single precision."""
_TOLERANCE_OF_NETWORKS = 1e-4
"""Sums of millions of products in single precision, on a CPU or a CUDA device."""


_Side = Annotated[int, Field(ge=1, le=2048)]


class _Regions(BaseModel):
    """A column of regions, which are made up again and not written down."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    shape: tuple[Annotated[int, Field(ge=1, le=64)], _Side, _Side]
    mean: float
    deviation: float

    def column(self, rows: int) -> pl.Series:
        """Return that many patients' regions."""
        position = np.arange(rows * math.prod(self.shape), dtype=np.float64)
        waves = np.sin(1 + 12.9898 * position) * np.sin(0.0037 * position)
        images = (self.mean + 2 * self.deviation * waves).astype(np.float32).reshape(rows, *self.shape)
        return pl.Series(self.name, images, dtype=pl.Array(pl.Float32, self.shape))


class _Examples(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    columns: tuple[str, ...] = Field(max_length=_MOST_COLUMNS)
    rows: tuple[tuple[float | None, ...], ...] = Field(min_length=1, max_length=1000)
    probabilities: tuple[float, ...]
    sums: tuple[float, ...]
    regions: tuple[_Regions, ...] = Field(default=(), max_length=16)

    @model_validator(mode="after")
    def _is_a_table(self) -> _Examples:
        if {len(row) for row in self.rows} != {len(self.columns)} or len(self.probabilities) != len(self.rows):
            raise ValueError("rows are of other lengths than they should be")
        return self


def example_answers(estimator: BaseEstimator, inputs: pl.DataFrame, references: Mapping[str, Any]) -> dict[str, Any]:
    """Return made-up inputs and a fitted model's probabilities for them, JSON-ready.

    A value is the training mean plus a fixed multiple of the standard deviation, or 0 and 1 by turns where a column
    has these two; no patient's value is among them. Only columns that reach the model's last step vary, others are 0.
    The last row lacks all features, for the imputation, where the model takes such a patient. ``sums`` are those of the
    columns that reach the last step: a tree or a neighbour does not answer to a small change before it.

    Parameters
    ----------
    estimator : BaseEstimator
        A fitted member of the zoo.
    inputs : polars.DataFrame
        The training patients' columns.
    references : mapping
        What `zoo.models.contributions.column_references` gave for them.
    """
    if any(is_region_column(name) for name in inputs.columns):
        return _of_network(estimator, inputs)
    step, is_standardised = last_step(estimator, inputs.head(2), references), sees_standardised_columns(estimator)
    reach = set(step.features)
    columns = [
        name for name in inputs.columns if name in reach or name.startswith(BATCH_PREFIX) or not is_standardised
    ][:_MOST_COLUMNS]
    made_up = [_made_up(inputs[name], position) for position, name in enumerate(columns)]
    rows = [list(row) for row in zip(*made_up, strict=True)] if made_up else [[]]
    if step.is_whole:
        rows = rows[: max(2, _MOST_CELLS // max(1, len(columns)))]
    lacking = [None if PHASE_SEPARATOR in name else value for name, value in zip(columns, rows[-1], strict=True)]
    if is_standardised or (step.is_whole and lacking != rows[-1]):
        known = _Examples(columns=columns, rows=(tuple(lacking),), probabilities=(0.0,), sums=())
        if _takes(estimator, _table(inputs.columns, known)):
            rows[-1] = lacking
    known = _Examples(columns=columns, rows=rows, probabilities=[0.0] * len(rows), sums=())
    table = _table(inputs.columns, known)
    probabilities, sums = _probabilities(estimator, table), _sums(estimator, table, references)
    return {"columns": columns, "rows": rows, "probabilities": probabilities, "sums": sums}


def _takes(estimator: BaseEstimator, table: pl.DataFrame) -> bool:
    """Return whether a model answers for patients who lack values."""
    try:
        if sees_standardised_columns(estimator):
            # Neighbours count how often they are asked, and are saved with the count.
            return bool(np.isfinite(np.asarray(estimator[:-1].transform(table), dtype=np.float64)).all())
        _probabilities(estimator, table)
    except ValueError:
        return False
    return True


def _of_network(estimator: BaseEstimator, inputs: pl.DataFrame) -> dict[str, Any]:
    """Return one made-up patient's regions and what a network makes of them; other columns are 0."""
    regions = []
    for column in inputs.select(name for name in inputs.columns if is_region_column(name)):
        images = column.to_numpy()
        mean, deviation = (float(f"{each:.6g}") for each in (images.mean(), images.std()))
        regions.append(_Regions(name=column.name, shape=images.shape[1:], mean=mean, deviation=deviation))
    known = _Examples(columns=(), rows=((),), probabilities=(0.0,), sums=(), regions=tuple(regions))
    probabilities = _probabilities(estimator, _table(inputs.columns, known))
    return known.model_copy(update={"probabilities": tuple(probabilities)}).model_dump(mode="json")


def refuse_other_answers(
    estimator: BaseEstimator,
    columns: Sequence[str],
    examples: Mapping[str, Any] | None,
    references: Mapping[str, Any],
) -> None:
    """Refuse a model that does not say what it said when it was saved.

    Parameters
    ----------
    estimator : BaseEstimator
        Fitted.
    columns : sequence of str
        The model's columns in its order.
    examples : mapping or None
        What `example_answers` gave; nothing is compared where a former release saved none.
    references : mapping
        What `zoo.models.contributions.column_references` gave at the training.

    Raises
    ------
    ContractError
        If a probability is another, or the examples are no table.
    """
    if examples is None:
        return
    try:
        known = _Examples.model_validate(examples)
    except ValidationError as error:
        raise ContractError("the record's known answers are no table of numbers", hint=_HINT) from error
    named = {*known.columns, *(each.name for each in known.regions)}
    if unknown := sorted(named - set(columns)):
        raise ContractError(f"the record's known answers are of a column '{unknown[0][:120]}' that it has not")
    table = _table(columns, known)
    tolerance = _TOLERANCE_OF_NETWORKS if known.regions else _TOLERANCE
    found = _probabilities(estimator, table)
    for number, (now, then) in enumerate(zip(found, known.probabilities, strict=True), start=1):
        if not abs(now - then) <= tolerance:
            raise ContractError(
                f"the model says {now:.6g} of known example {number}, and said {then:.6g} when it was saved", hint=_HINT
            )
    if known.regions:
        return
    sums = _sums(estimator, table, references)
    scale = 1 + max(map(abs, known.sums), default=0.0)
    if len(sums) != len(known.sums) or not np.allclose(sums, known.sums, rtol=_TOLERANCE, atol=_TOLERANCE * scale):
        raise ContractError(
            "the model makes other numbers of its known examples than when it was saved, before its last step",
            hint=_HINT,
        )


_HINT = f"install the libraries that model.json names, or {RESTORE}"


def _made_up(column: pl.Series, position: int) -> list[float]:
    values = column.drop_nulls().drop_nans().to_numpy().astype(np.float64)
    if column.name.startswith(BATCH_PREFIX):
        batches = sorted(set(values.tolist()))
        return [batches[row % len(batches)] for row in range(_ROWS)]
    if not len(values):
        return [0.0] * _ROWS
    if set(values.tolist()) <= {0.0, 1.0}:
        return [float((row >> (position % 4)) & 1) for row in range(_ROWS)]
    mean, deviation = float(values.mean()), float(values.std())
    # Irrational steps: neighbouring rows and columns have nothing in common, in every release of every library.
    steps = [2.5 * math.sin(1 + 12.9898 * (row + 1) + 78.233 * (row + 2) * (position + 1)) for row in range(_ROWS)]
    return [float(f"{mean + deviation * step:.6g}") for step in steps]


def _table(columns: Sequence[str], known: _Examples) -> pl.DataFrame:
    """Return the examples with all columns of a model; what does not vary is 0."""
    rows = len(known.rows)
    values = np.asarray(known.rows, dtype=np.float64).reshape(rows, len(known.columns))
    given = dict(zip(known.columns, values.T, strict=True))
    regions = {each.name: each.column(rows) for each in known.regions}
    zeros = np.zeros(rows)
    made_up = {
        name: regions[name] if name in regions else pl.Series(name, given.get(name, zeros)).fill_nan(None)
        for name in columns
    }
    return pl.DataFrame(made_up)


def _probabilities(estimator: BaseEstimator, table: pl.DataFrame) -> list[float]:
    found: list[float] = np.asarray(estimator.predict_proba(table), dtype=np.float64)[:, 1].tolist()
    return found


def _sums(estimator: BaseEstimator, table: pl.DataFrame, references: Mapping[str, Any]) -> list[float]:
    """Return the sums of the columns that reach the last step."""
    step = last_step(estimator, table, references)
    # The columns of a whole model are as the table has them, missing values too.
    values = np.nan_to_num(step.values) if step.is_whole else step.values
    found: list[float] = values.sum(axis=0).tolist()
    return found
