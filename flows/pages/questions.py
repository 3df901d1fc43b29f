"""The questions a page asks the store: SQL texts that an analyst can ask again, word for word."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

import duckdb

from schemas.keys import sql_name

__all__ = ["Answer", "Questions"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the store said, and the statement that made it say so."""

    sql: str
    rows: list[Row]

    def __bool__(self) -> bool:
        return bool(self.rows)


class Questions:
    """The texts of a package's ``sql/*.sql``, asked of one snapshot.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From `store.analyst.query.snapshot_connection`; one connection serves all questions, since making it costs
        more than asking.
    package : str
        The package below ``flows`` that has the folder ``sql``.
    **values : str, int or None
        What ``$name`` stands for in every text, such as the study.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, package: str, **values: str | int | None) -> None:
        self._connection = connection
        self._package = package
        self._values = values

    def ask(self, name: str, *, feature_set: str = "", **values: str | int | None) -> Answer:
        """Return the answer to one question.

        The values are written into the text, so that it can be asked again without parameters.

        Parameters
        ----------
        name : str
            The file in the folder ``sql``, without its ending.
        feature_set : str
            ``name@N``; the text may name the set as ``$feature_set`` and its wide view as ``$view``.
        **values : str, int or None
            What the text's other ``$name`` stand for.
        """
        literals = {key: _literal(value) for key, value in (self._values | values).items()}
        text = _question(self._package, name).substitute(
            literals, feature_set=_literal(feature_set), view=sql_name(feature_set)
        )
        return Answer(text, self._connection.sql(text).to_arrow_table().to_pylist())


@cache
def _question(package: str, name: str) -> Template:
    return Template(files("flows").joinpath(package, "sql", f"{name}.sql").read_text(encoding="utf-8").strip())


def _literal(value: str | int | None) -> str:
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
