"""What a reader gets: rows in columns, as Arrow, polars or pandas, whichever is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.errors import NotFoundError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["Answer", "Dataset", "Predicted"]


class Answer:
    """Rows that a store gave; they are in memory, and stay when the store is closed.

    Whatever reads Arrow's stream interface takes an answer itself: ``polars.DataFrame(answer)``,
    ``pyarrow.table(answer)``, ``duckdb.sql("from answer")``.

    Parameters
    ----------
    table : pyarrow.Table
        The rows.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(self._table.column_names)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        rows, columns = self._table.shape
        return f"<{type(self).__name__}: {rows:,} row{'' if rows == 1 else 's'} x {columns:,} columns>"

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)

    def arrow(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        return self._table

    def pl(self) -> pl.DataFrame:
        """Return the rows as a polars data frame."""
        import polars

        return polars.DataFrame(self._table)

    def df(self) -> pd.DataFrame:
        """Return the rows as a pandas data frame; integers and booleans with missing values keep their values.

        Raises
        ------
        NotFoundError
            When pandas is not installed; nothing else needs it.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise NotFoundError(
                "pandas is not installed", hint="pip install pandas, or take .pl() or .arrow()"
            ) from error

        # By itself pandas makes floats of integers as soon as one is missing: large ones become others.
        lacking = {column.type for column in self._table.columns if column.null_count}
        nullable = {
            kind: wide
            for kind, wide in (
                (pa.int32(), pandas.Int32Dtype()),
                (pa.int64(), pandas.Int64Dtype()),
                (pa.bool_(), pandas.BooleanDtype()),
            )
            if kind in lacking
        }
        return self._table.to_pandas(types_mapper=nullable.get)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        found: list[dict[str, Any]] = self._table.to_pylist()
        return found


class Dataset(Answer):
    """A frozen table that a model was trained from: a row a patient, with its cohort and label.

    Attributes
    ----------
    id : str
        The dataset's id, a hash of what it holds.
    study, split : str
        Whose question it answers, and which split says who trains.
    commit : int
        The commit that it was read at.
    feature_set : str or None
        ``name@N`` of its features.
    inputs : mapping
        What the columns are: feature set, phases, factors.
    sql : str or None
        A question that, as of the commit, gives the table, or the clinical values that it was computed from.
    sha256 : str
        The hash of its file, with which the file was compared.
    """

    def __init__(self, table: pa.Table, row: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
        super().__init__(table)
        self.id: str = row["dataset_id"]
        self.study: str = row["study"]
        self.split: str = row["split"]
        self.commit: int = row["commit_id"]
        self.feature_set: str | None = row["feature_set"]
        self.inputs = inputs
        self.sql: str | None = row["sql"]
        self.sha256: str = row["sha256"]


class Predicted(Answer):
    """What a model says of patients: ``patient``, ``cohort``, ``probability``, ``positive`` and ``reason``.

    Where contributions were asked for, each of the model's columns has another, ``contribution:COLUMN``, and
    ``contribution:baseline`` is what they start from.

    Attributes
    ----------
    study : str
        Whose patients they are.
    threshold : float
        The probability from which a patient counts as positive, frozen with the model.
    commit : int
        The commit that the inputs were read at.
    warnings : tuple of str
        What to know before anything is concluded, such as that the model is marked; each was also a Python warning.
    contribution_kind, contribution_unit : str or None
        What the contributions are.
    """

    def __init__(
        self,
        table: pa.Table,
        *,
        study: str,
        threshold: float,
        commit: int,
        warnings: Sequence[str] = (),
        contribution_kind: str | None = None,
        contribution_unit: str | None = None,
    ) -> None:
        super().__init__(table)
        self.study = study
        self.threshold = threshold
        self.commit = commit
        self.warnings = tuple(warnings)
        self.contribution_kind = contribution_kind
        self.contribution_unit = contribution_unit
