"""The text of a drafted study file: what was recognised, and a mark at all that a person decides."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from flows.study_draft.cohort.table import CohortTable
from flows.study_draft.cohort.text import clinical_lines, cohort_lines, outcome_lines
from flows.study_draft.draft import DraftPhase, Images
from flows.study_draft.toml_text import DECIDE, comment, listed, quoted
from schemas.errors import UsageError
from schemas.keys import Name
from schemas.study.path_patterns import pattern_fault

__all__ = ["drafted_text"]

_name: TypeAdapter[str] = TypeAdapter(Name)
_NAMED = 6
_SETS = {"MR": "mr@1", "CT": "ct@1"}


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
        f"id = {quoted(_study_id(folder, source))}",
        f"title = {quoted(source.resolve().name or 'study')}  {DECIDE}what the study is called",
        f'question = ""  {DECIDE}what it asks',
        "",
        *cohort_lines(prefix, table),
        *(_privacy() if images.is_dicom else _privacy_offered()),
        *(line for phase in images.phases for line in _phase(prefix, phase, is_dicom=images.is_dicom)),
        *_readings(images),
        *clinical_lines(prefix, table),
        *outcome_lines(table, _models(images)),
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
        note = f'  {DECIDE}"mr@1" for MR, "ct@1" for CT, or a set of your own'
    elif len(modalities) > 1:
        note = f"  {DECIDE}which; each set is computed in all phases: {_unmeant(images, sets)}"
    yield f"feature_sets = [{', '.join(map(quoted, sets))}]{note}"
    if "PET" in modalities:
        yield "# No set for PET is built in. One of your own, whose bin width is in your unit of uptake:"
        yield "# [define.pet]"
        yield '# modality = "PET"'
        yield f"# radiomics = {{ bin_width = 0 }}  {DECIDE}the width"


def _unmeant(images: Images, sets: list[str]) -> str:
    """Return which phases each set is not meant for."""
    parts = []
    for each in sets:
        others = [phase.name for phase in images.phases if _SETS.get(phase.modality) != each]
        parts.append(f"{each} is not meant for {', '.join(others[:_NAMED])}{' ...' if len(others) > _NAMED else ''}")
    return "; ".join(parts)


def _models(images: Images) -> Iterator[str]:
    """Give the lines of one model of features; of several modalities one each, for no set is meant for all of them."""
    modalities = dict.fromkeys(each.modality for each in images.phases)
    sets = [each for each in modalities if each in _SETS]
    if len(modalities) == 1 or not sets:
        yield "[models.radiomics_lr]  # `radzoo models zoo` lists all models"
        return
    for position, modality in enumerate(sets):
        if position == 0:
            yield "[models.radiomics_lr]  # of one modality; `radzoo models zoo` lists all models"
        else:
            yield f"[models.radiomics_lr_{modality.lower()}]"
            yield 'base = "radiomics_lr"'
        yield f"feature_set = {quoted(_SETS[modality])}"
        yield f"phases = [{', '.join(quoted(each.name) for each in images.phases if each.modality == modality)}]"


def _privacy() -> Iterator[str]:
    yield "# The store gets pseudonyms, dates that are moved, and no paths. Ingest makes the key where there is none."
    yield "[privacy]"
    yield (
        f'pseudonyms = "hash"  {DECIDE}"map", with map = "FILE.csv", where a table of pseudonyms is kept; no [privacy] '
        "where the ids are pseudonyms"
    )
    yield f'key = "../pseudonyms.key"  {DECIDE}where it lies: not where the store or this folder is handed on'
    yield f'dates = "shift"  {DECIDE}"keep" leaves each date as it is'
    yield ""


def _phase(prefix: str, phase: DraftPhase, *, is_dicom: bool) -> Iterator[str]:
    yield f"[phases.{phase.name}]"
    yield from (f"# {comment(each)}" for each in phase.comments)
    yield f"image = {quoted(prefix + phase.image)}{_note(phase, 'image')}"
    if phase.series:
        yield f"series = {_rule(phase.series)}{_note(phase, 'series')}"
    elif "series" in phase.decide:
        yield f'# series = {{ description = "" }}{_note(phase, "series")}'
    if is_dicom and phase.modality == "PET":
        instead = "instead of the line above; " if phase.series else ""
        units = "uptake values in g/ml; without it voxels stay in the scanner's units"
        yield f"# series = {_rule({**phase.series, 'suv': 'body-weight'})}  {DECIDE}{instead}{units}"
    if phase.mask is None:
        yield f'mask = "masks/{{patient}}/{phase.name}.nii.gz"  {DECIDE}no mask was found'
    else:
        yield f"mask = {quoted(prefix + phase.mask)}{_note(phase, 'mask')}"
    if phase.segment is not None:
        yield f"segment = {quoted(phase.segment)}{_note(phase, 'segment')}"
    elif "segment" in phase.decide:
        yield f'# segment = ""{_note(phase, "segment")}'
    elif phase.label is not None:
        yield f"label = {phase.label}{_note(phase, 'label')}"
    if phase.modality:
        yield f"modality = {quoted(phase.modality)}"
    else:
        yield f'modality = ""  {DECIDE}"MR", "CT" or "PET"'
    yield ""


def _privacy_offered() -> Iterator[str]:
    yield "# If ids are a hospital's, the store can get pseudonyms and moved dates (docs/study-file.md, Privacy):"
    yield from ("# [privacy]", '# pseudonyms = "hash"', '# key = "../pseudonyms.key"', '# dates = "shift"', "")


def _rule(series: Mapping[str, str | int]) -> str:
    return f"{{ {', '.join(f'{k} = {quoted(v) if isinstance(v, str) else v}' for k, v in series.items())} }}"


def _note(phase: DraftPhase, key: str) -> str:
    return f"  {DECIDE}{comment(phase.decide[key])}" if key in phase.decide else ""


def _readings(images: Images) -> Iterator[str]:
    if images.readings:
        yield "# The first reading is the one that models use; others serve stability."
    if images.are_numbers:
        yield f"{DECIDE}in the masks' names the first number is taken for the reader, the second for the reading"
    for reader, number in images.readings:
        yield "[[readings]]"
        yield f"reader = {quoted(reader)}"
        yield f"reading = {number}"
        columns = images.where.get((reader, number), ())
        if len(columns) == 1:
            yield f"where = {quoted(columns[0])}  # it says yes of exactly the patients who have it"
        elif columns:
            yield f"where = {quoted(columns[0])}  {DECIDE}or {listed(columns[1:])}, which say the same"
        elif lacking := images.short_of.get((reader, number)):
            who = "1 patient lacks it" if len(lacking) == 1 else f"{len(lacking)} patients lack it"
            yield f'# where = ""  {DECIDE}a yes/no column of who has it; {who}'
        yield ""
