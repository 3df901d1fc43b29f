"""The study file that a feature table alone makes: label, one drawn split, every radiomics model."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from flows.tables.file_faults import real_path
from flows.tables.files import read_table
from flows.tables.text_table import TextTable
from schemas.errors import ContractError, UsageError
from schemas.fault_list import FaultList
from schemas.keys import FeatureSetName, Name, sql_name
from schemas.study.imported import ImportedTable
from schemas.study.text import parsed_study
from schemas.written.levels import EVERY_OTHER, level_of
from schemas.written.table_form import TableForm

__all__ = ["FEWEST_OF_A_LABEL", "FEWEST_PATIENTS", "TableOfFeatures", "study_text"]

FEWEST_PATIENTS = 6
FEWEST_OF_A_LABEL = 2
"""Of fewer no fifth can be drawn that has both labels, nor a training cohort."""

_AS_FOUND = TableForm()
_name: TypeAdapter[str] = TypeAdapter(Name)
_feature_set: TypeAdapter[str] = TypeAdapter(FeatureSetName)


@dataclass(frozen=True)
class TableOfFeatures:
    """What a person says about a feature table on the command line."""

    file: Path
    patient: str
    outcome: str
    positive: str
    negative: str | None = None
    """The other level, ``*`` for all others; found in the table where absent and there is one."""
    id: str | None = None
    """The study's id; from the file's name where absent."""
    phase: str | None = None
    phases: Sequence[str] = ()
    """Images that stand side by side: columns ``PHASE_feature``."""
    drop: Sequence[str] = ()
    missing: Sequence[str] = ()
    models: Sequence[str] = ()
    form: TableForm = _AS_FOUND
    """How the table is written."""

    @property
    def study_id(self) -> str:
        """Return the id that the study gets.

        Raises
        ------
        UsageError
            When neither the option nor the file's name is one.
        """
        stem = self.file.name.partition(".")[0]
        try:
            return _name.validate_python(self.id or re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-"))
        except ValidationError as error:
            raise UsageError(
                f"'{self.id or stem}' is no study id",
                where="--id",
                hint="--id NAME, letters and digits joined by single - or _, starting with a letter",
            ) from error


def study_text(table: TableOfFeatures, folder: Path) -> str:
    """Return the text of a study file in ``folder`` for a feature table.

    The split is drawn 8:2, stratified by label, with seed 0; models are those that read radiomics alone, where none
    is named.

    Raises
    ------
    ContractError
        When the table lacks a column or a level of the outcome.
    NotFoundError
        When the table is not there, or the zoo has no such model.
    UsageError
        When the study's id is none.
    """
    # Imported here: a study file of one's own is ingested without the libraries of learning.
    from zoo.registry import REGISTRY, model_spec

    # Of every other level none may be a cell without a value, as the same table's features have them.
    of_features = ImportedTable(table="").missing
    missing = tuple(dict.fromkeys((*(of_features if table.negative == EVERY_OTHER else ()), *table.missing)))
    source = read_table(table.file, "--features", missing=missing, form=table.form)
    faults = FaultList()
    for option, column in (("--patient", table.patient), ("--outcome", table.outcome), ("--phase", table.phase)):
        if column is not None:
            with faults.gathered():
                source.require(column, option)
    faults.raise_any(str(table.file))
    source = source.narrowed((table.patient, table.outcome, *([table.phase] if table.phase else [])))
    positive, negative = _levels(source, table)
    _refuse_too_few(source, table, positive, negative)
    # Of radzoo's own: a study file does not depend on what else is installed.
    own = [spec for spec in REGISTRY.values() if spec.package is None]
    models = table.models or [spec.name for spec in own if spec.inputs == ("radiomics",)]
    feature_set = _feature_set_name(table.study_id)
    path = os.path.relpath(real_path(table.file), real_path(folder))
    form = [f"{key} = {_written(getattr(table.form, key))}" for key in table.form.declared]
    lines = [
        "# Written by radzoo ingest --features: edit it, then radzoo ingest it again.",
        "",
        "[study]",
        f"id = {_quoted(table.study_id)}",
        f"title = {_quoted(table.file.name)}",
        "",
        "[cohort]",
        f"table = {_quoted(path)}",
        *form,
        f"patient = {_quoted(table.patient)}",
        *(["repeated = true"] if table.phase else []),
        *([f"missing = {_list(missing)}"] if missing else []),
        "",
        f"[imported.{feature_set}]",
        f"table = {_quoted(path)}",
        *form,
        *([f"phase = {_quoted(table.phase)}"] if table.phase else []),
        *([f"columns = {{ exclude = {_list(table.drop)} }}"] if table.drop else []),
        *([f"missing = {_list([*of_features, *table.missing])}"] if table.missing else []),
        *([f"[imported.{feature_set}.phases]"] if table.phases else []),
        *(f"{phase} = {_quoted(phase + '_')}" for phase in table.phases),
        "",
        "[outcome]",
        'kind = "binary"',
        f"name = {_quoted(_identifier(table.outcome))}",
        f"column = {_quoted(table.outcome)}",
        f"positive = {_quoted(positive)}",
        f"negative = {_quoted(negative)}",
        "",
        "[splits.main]",
        'kind = "stratified"',
        "validation_fraction = 0.2",
        "seed = 0",
        "",
        *(f"[models.{model_spec(name).name}]" for name in models),
    ]
    text = "\n".join(lines) + "\n"
    parsed_study(text, str(folder / "study.toml"))
    return text


def _levels(source: TextTable, table: TableOfFeatures) -> tuple[str, str]:
    found = dict.fromkeys(row[table.outcome] for _, row in source.rows())
    levels = [level for level in found if level]
    listed = ", ".join(f"'{level}'" for level in levels[:8]) + (", ..." if len(levels) > 8 else "")
    positive = level_of(table.positive, levels)
    if positive is None:
        raise ContractError(
            f"column '{table.outcome}' has no '{table.positive}'; it has {listed or 'no value'}",
            where="--positive",
            hint="--positive LEVEL, one of them; nothing was written",
        )
    others = [level for level in levels if level != positive]
    if not others:
        raise ContractError(
            f"column '{table.outcome}' has no value but '{positive}': no patient has label 0",
            where="--outcome",
            hint="--outcome COLUMN, one with two levels; nothing was written",
        )
    if table.negative == EVERY_OTHER:
        return positive, EVERY_OTHER
    only = others[0] if len(others) == 1 else None
    negative = level_of(table.negative, others) if table.negative is not None else only
    if negative is None:
        raise ContractError(
            f"column '{table.outcome}' has {listed}: which one stands for label 0?",
            where="--negative",
            hint=f"--negative LEVEL, one of them, or --negative '{EVERY_OTHER}' for all of them; name a level that is "
            "neither with --missing",
        )
    return positive, negative


def _refuse_too_few(source: TextTable, table: TableOfFeatures, positive: str, negative: str) -> None:
    """Refuse a table whose patients cannot be split by label: the study file that it makes would have no meaning."""
    label_of = {row[table.patient]: row[table.outcome] for _, row in source.rows()}
    labels = Counter(label for label in label_of.values() if label)
    rest = labels.total() - labels[positive] if negative == EVERY_OTHER else labels[negative]
    counts = [labels[positive], rest]
    if sum(counts) < FEWEST_PATIENTS or min(counts) < FEWEST_OF_A_LABEL:
        raise ContractError(
            f"{sum(counts)} labelled patients, {counts[0]} with label 1 and {counts[1]} with label 0, are too few "
            f"to be split: {FEWEST_PATIENTS} are needed, {FEWEST_OF_A_LABEL} of each label",
            where=str(table.file),
            hint="add patients to the table; nothing was written",
        )


def _feature_set_name(study: str) -> str:
    name = sql_name(study).replace("_", "-")
    try:
        return _feature_set.validate_python(name)
    except ValidationError:  # the name of another view
        return f"{name}-table"


def _identifier(text: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return plain if plain[:1].isalpha() else f"outcome_{plain}".rstrip("_")


def _quoted(text: str) -> str:
    # What JSON escapes, a basic string of TOML reads; DEL is the one character that only TOML forbids.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _written(value: str | int) -> str:
    return _quoted(value) if isinstance(value, str) else str(value)


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"
