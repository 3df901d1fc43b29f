"""What exported files are, for programs (Frictionless Data Package) and for people (README.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.foreign_text import begins_like_a_formula, markdown_text
from store.files import file_sha256

__all__ = ["Resource", "TableField", "data_package", "read_me"]

_UNIT = re.compile(r"^\[(\S+?)\](?=[ ,:])[ ,:]*")
_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
_WARNING = (
    "Research data, not for clinical use. Patients are pseudonyms, not anonymous: images, dates and rare values may "
    "tell who somebody is, and the rules under which the data were collected hold for this copy too."
)
_MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


@dataclass(frozen=True)
class TableField:
    """A column of a file."""

    name: str
    type: str
    """As Frictionless Table Schema names types."""
    unit: str | None
    """UCUM, where the store knows it."""
    description: str


@dataclass(frozen=True)
class Resource:
    """A file of an export."""

    name: str
    path: str
    rows: int
    bytes: int
    sha256: str
    description: str
    fields: tuple[TableField, ...]
    like_formulas: tuple[str, ...] = ()
    """Columns with a text that a spreadsheet would run."""

    @classmethod
    def of(cls, name: str, file: Path, table: pa.Table, description: str, columns: Mapping[str, str]) -> Resource:
        """Return the resource that a written file is.

        Parameters
        ----------
        name : str
            The view it was read from.
        file : Path
            The file.
        table : pyarrow.Table
            Its rows, before they were made fit for its format.
        description : str
            What it holds.
        columns : mapping of str to str
            What each column means; a unit stands first, in brackets.
        """
        fields = tuple(_field(each, columns.get(each.name, "")) for each in table.schema)
        return cls(
            name,
            file.name,
            table.num_rows,
            file.stat().st_size,
            file_sha256(file),
            description,
            fields,
            _like_formulas(table),
        )


def data_package(resources: Sequence[Resource], study: str | None, commit: Mapping[str, Any] | None) -> str:
    """Return the text of ``datapackage.json``.

    Parameters
    ----------
    resources : sequence of Resource
        The files.
    study : str or None
        The study they belong to, None for the whole store.
    commit : mapping or None
        The commit they were read at, None for a store without one.
    """
    package = {
        "$schema": _PROFILE,
        "name": (study or "radzoo-store").lower(),
        "title": _title(study),
        "description": _WARNING,
        "version": str(commit["commit_id"] if commit else 0),
        **({"created": commit["committed_at"]} if commit else {}),
        "resources": [
            {
                "name": each.name,
                "path": each.path,
                "type": "table",
                "format": each.path.rpartition(".")[2],
                "mediatype": _MEDIA_TYPES[each.path.rpartition(".")[2]],
                **({"encoding": "utf-8"} if each.path.endswith(".csv") else {}),
                "description": each.description,
                "bytes": each.bytes,
                "hash": f"sha256:{each.sha256}",
                "rows": each.rows,
                "schema": {
                    "fields": [{k: v for k, v in asdict(field).items() if v} for field in each.fields],
                    "missingValues": [""],
                },
            }
            for each in resources
        ],
    }
    return json.dumps(package, ensure_ascii=False, indent=2) + "\n"


def read_me(resources: Sequence[Resource], study: str | None, commit: Mapping[str, Any] | None, format: str) -> str:  # noqa: A002
    """Return the text of ``README.md``: what is what, as of which commit."""
    when = (
        f'commit {commit["commit_id"]} of {commit["committed_at"]}, "{markdown_text(commit["message"])}"'
        if commit
        else "no commit"
    )
    lines = [
        f"# {markdown_text(_title(study))}",
        "",
        f"Exported from a radzoo store as of {when}. {_WARNING}",
        "",
        "| file | rows | columns | what it holds |",
        "|---|--:|--:|---|",
        *(f"| {each.path} | {each.rows} | {len(each.fields)} | {_cell(each.description)} |" for each in resources),
        "",
        "- `patient`, `exam`, `phase`, `lesion`, `reader`, `reading` name a mask and join the files; a feature file",
        "  has one row a mask, `study_masks.is_primary` says which mask a study's models read.",
        "- `features` says what each feature column measures; `datapackage.json` has type, unit (UCUM) and description",
        "  of every column of every file, and the files' SHA-256.",
        "- A value that is missing could not be computed or was not given; `failures` has the reasons.",
    ]
    if format == "csv":
        lines += [
            "- CSV, UTF-8, comma, header; numbers have all their digits; a missing value is an empty field, an empty",
            '  text is `""`; nested values are JSON.',
            "- Cells are as stored, for programs. A spreadsheet runs a text that begins with = + - or @: import these",
            f"  files as text. Such texts are in: {_named_columns(resources)}.",
        ]
    return "\n".join(lines) + "\n"


def _like_formulas(table: pa.Table) -> tuple[str, ...]:
    # By the values that differ, of which a column of texts has few.
    return tuple(
        name
        for name, column in zip(table.column_names, table.columns, strict=True)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        if any(begins_like_a_formula(text) for text in column.unique().to_pylist() if text)
    )


def _named_columns(resources: Sequence[Resource]) -> str:
    found = [f"{each.path} ({', '.join(map(markdown_text, each.like_formulas))})" for each in resources]
    return "; ".join(text for each, text in zip(resources, found, strict=True) if each.like_formulas) or "no column"


def _title(study: str | None) -> str:
    return f"Study {study}" if study else "All studies of a radzoo store"


def _cell(text: str) -> str:
    return markdown_text(text)


def _field(field: pa.Field, comment: str) -> TableField:
    unit = _UNIT.match(comment)
    return TableField(field.name, _type(field.type), unit[1] if unit else None, _UNIT.sub("", comment))


def _type(kind: pa.DataType) -> str:
    for holds, name in (
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "integer"),
        (pa.types.is_floating, "number"),
        (pa.types.is_struct, "object"),
        (pa.types.is_list, "array"),
        (pa.types.is_date, "date"),
        (pa.types.is_timestamp, "datetime"),
    ):
        if holds(kind):
            return name
    return "string"
