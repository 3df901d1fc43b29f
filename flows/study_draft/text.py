"""The text of a drafted study file: what was recognised, and a mark at all that a person decides."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from flows.study_draft.cohort_table import CohortTable
from flows.study_draft.columns import CohortColumns
from flows.study_draft.draft import DraftPhase, Images
from schemas.errors import UsageError
from schemas.foreign_text import one_line
from schemas.keys import Name
from schemas.study.path_patterns import pattern_fault

__all__ = ["drafted_text"]

_name: TypeAdapter[str] = TypeAdapter(Name)
_DECIDE: Final = "# to decide: "
_SETS = {"MR": "mr@1", "CT": "ct@1"}
_LISTED = 12


def drafted_text(folder: Path, source: Path, images: Images, table: CohortTable | None) -> str:
    """Return the text of a study file.

    Parameters
    ----------
    folder : Path
        Where the file is to lie, to which its paths are relative.
    source : Path
        The folder that was looked at.
    images : Images
        The phases.
    table : CohortTable or None
        The cohort's table.

    Raises
    ------
    UsageError
        When no pattern can name the folder.
    """
    # Through links: the study file is read where it really lies.
    start = os.path.relpath(os.path.realpath(source), os.path.realpath(folder))
    if fault := pattern_fault(start):
        raise UsageError(f"no path pattern can name it: {fault}", where=str(source), hint="rename the folder")
    prefix = "" if start == "." else f"{Path(start).as_posix()}/"
    lines = [
        "# Drafted by radzoo init --from. Paths are relative to this file. What nobody but you can know is marked",
        "# `to decide`; search for it.",
        "",
        *_feature_sets(images),
        "",
        "[study]",
        f"id = {_quoted(_study_id(folder, source))}",
        f"title = {_quoted(source.resolve().name or 'study')}  {_DECIDE}what the study is called",
        f'question = ""  {_DECIDE}what it asks',
        "",
        *_cohort(prefix, table),
        *(line for phase in images.phases for line in _phase(prefix, phase)),
        *_readings(images),
        *_clinical(prefix, table),
        *_outcome(table),
    ]
    return "\n".join(lines) + "\n"


def _study_id(folder: Path, source: Path) -> str:
    for path in (folder, source):
        try:
            return _name.validate_python(re.sub(r"[^A-Za-z0-9]+", "-", path.absolute().resolve().name).strip("-"))
        except ValidationError:
            continue
    return "study"


def _feature_sets(images: Images) -> Iterator[str]:
    modalities = dict.fromkeys(each.modality for each in images.phases)
    sets = [_SETS[each] for each in modalities if each in _SETS]
    note = ""
    if not sets:
        note = f'  {_DECIDE}"mr@1" for MR, "ct@1" for CT, or a set of your own'
    elif len(modalities) > 1:
        note = f"  {_DECIDE}each set is computed of every phase, and the phases are not of one modality"
    yield f"feature_sets = [{', '.join(map(_quoted, sets))}]{note}"
    if "PET" in modalities:
        yield "# No set for PET is built in. One of your own, whose bin width is in your unit of uptake:"
        yield "# [define.pet]"
        yield '# modality = "PET"'
        yield f"# radiomics = {{ bin_width = 0 }}  {_DECIDE}the width"


def _cohort(prefix: str, table: CohortTable | None) -> Iterator[str]:
    yield "[cohort]"
    if table is None:
        yield f'table = "patients.csv"  {_DECIDE}one row per patient, column patient'
        yield 'patient = "patient"'
    else:
        yield f"table = {_quoted(prefix + table.path)}"
        yield f"patient = {_quoted(table.patient)}"
        if table.is_repeated:
            yield "repeated = true  # patients have several rows, which must agree in the columns that are read"
        if table.columns.missing:
            yield f"missing = {_list(table.columns.missing)}  # cells that mean 'not given'"
        for key in ("exam_date", "reference_date") if table.columns.dates else ():
            others = f"  {_DECIDE}one of {_shown(table.columns.dates)}"
            yield f"# {key} = {_quoted(table.columns.dates[0])}{others}"
    yield ""


def _phase(prefix: str, phase: DraftPhase) -> Iterator[str]:
    yield f"[phases.{phase.name}]"
    yield from (f"# {_plain(each)}" for each in phase.comments)
    yield f"image = {_quoted(prefix + phase.image)}{_note(phase, 'image')}"
    if phase.series:
        rule = ", ".join(f"{k} = {_quoted(v) if isinstance(v, str) else v}" for k, v in phase.series.items())
        yield f"series = {{ {rule} }}{_note(phase, 'series')}"
    elif "series" in phase.decide:
        yield f'# series = {{ description = "" }}{_note(phase, "series")}'
    if phase.mask is None:
        yield f'mask = "masks/{{patient}}/{phase.name}.nii.gz"  {_DECIDE}no mask was found'
    else:
        yield f"mask = {_quoted(prefix + phase.mask)}{_note(phase, 'mask')}"
    if phase.segment is not None:
        yield f"segment = {_quoted(phase.segment)}{_note(phase, 'segment')}"
    elif "segment" in phase.decide:
        yield f'# segment = ""{_note(phase, "segment")}'
    elif phase.label is not None:
        yield f"label = {phase.label}{_note(phase, 'label')}"
    if phase.modality:
        yield f"modality = {_quoted(phase.modality)}"
    else:
        yield f'modality = ""  {_DECIDE}"MR", "CT" or "PET"'
    yield ""


def _note(phase: DraftPhase, key: str) -> str:
    return f"  {_DECIDE}{_plain(phase.decide[key])}" if key in phase.decide else ""


def _readings(images: Images) -> Iterator[str]:
    if images.readings:
        yield "# The first reading is the one that models use; others serve stability."
    for reader, number in images.readings:
        yield "[[readings]]"
        yield f"reader = {_quoted(reader)}"
        yield f"reading = {number}"
        if lacking := images.short_of.get((reader, number)):
            yield f'# where = ""  {_DECIDE}a yes/no column of who has it: {len(lacking)} patients lack it'
        yield ""


def _clinical(prefix: str, table: CohortTable | None) -> Iterator[str]:
    if table is None:
        return
    columns = table.columns
    for other in table.others[:_LISTED]:
        yield f"# {_plain(other)} has the same ids: a clinical table? {_DECIDE[2:]}[clinical] table"
        yield f"# [clinical]\n# table = {_quoted(prefix + other)}"
    names: set[str] = set()
    for column, levels in columns.categories.items():
        yield f"[clinical.variables.{_variable(column, names)}]"
        yield from _column_line(column, names)
        yield f"levels = {_list(levels)}"
        yield ""
    numbers = [*columns.numbers, *columns.times]
    for column in numbers[:200]:
        yield f"# [clinical.variables.{_variable(column, names)}]"
        yield from (f"# {line}" for line in _column_line(column, names))
        yield f'# unit = ""  {_DECIDE}its UCUM unit, such as "mm", "U/L" or "1"'
    if numbers:
        yield ""
    if columns.personal:
        yield f"# Left out, as they may identify a patient: {_shown(columns.personal)}"
        yield ""


def _variable(column: str, names: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_")[:50].strip("_") or "variable"
    base = base if base[0].isalpha() else f"v_{base}"
    name, number = base, 2
    while name.lower() in names:
        name, number = f"{base}_{number}", number + 1
    names.add(name.lower())
    return name


def _column_line(column: str, names: set[str]) -> Iterator[str]:
    if column.lower() not in names or re.sub(r"[^A-Za-z0-9]+", "_", column) != column:
        yield f"column = {_quoted(column)}"


def _outcome(table: CohortTable | None) -> Iterator[str]:
    columns = CohortColumns() if table is None else table.columns
    first = next(iter(columns.outcomes), None)
    mark = ""
    if first is None:
        yield f"{_DECIDE}the outcome; no column of two values was found"
        yield '# [outcome]\n# kind = "binary"\n# name = "outcome"\n# column = "outcome"\n'
        mark = "# "
    else:
        others = [each.name for each in columns.outcomes[1:]]
        is_sure = not others and first.rank == 0
        note = "" if is_sure else f"  {_DECIDE}{f'or {_shown(others)}' if others else 'is it the outcome?'}"
        yield "[outcome]"
        yield 'kind = "binary"'
        yield f"name = {_quoted(_variable(first.name, set()))}"
        yield f"column = {_quoted(first.name)}{note}"
        yield f"positive = {_quoted(first.positive)}" + ("" if first.is_known else f"  {_DECIDE}which level is label 1")
        yield f"negative = {_quoted(first.negative)}"
        if columns.times:
            yield f'# or kind = "time_to_event" with event = {_quoted(first.name)}, unit and horizon, and as time'
            yield f"# {_shown(columns.times)}"
        yield ""
    for name, (training, validation) in columns.splits.items():
        yield from ("[splits.main]", 'kind = "column"', f"column = {_quoted(name)}")
        yield from (f"training = {_quoted(training)}", f"validation = {_quoted(validation)}", "")
        break
    else:
        yield f"{mark}[splits.main]"
        yield f'{mark}kind = "stratified"'
        yield f"{mark}validation_fraction = 0.2"
        yield f"{mark}seed = 1\n"
    yield f"{mark}[models.radiomics_lr]  # `radzoo models zoo` lists all models"


def _shown(texts: Iterable[str]) -> str:
    every = list(texts)
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return ", ".join(_quoted(each) for each in every[:_LISTED]) + more


def _plain(text: str) -> str:
    return one_line(text)


def _quoted(text: str) -> str:
    # What JSON escapes, a basic string of TOML reads; DEL is the one character that only TOML forbids.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"
