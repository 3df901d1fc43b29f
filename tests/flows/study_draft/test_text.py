"""The text of a drafted study parses, whatever files, tables and headers are called."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.study_draft.cohort.columns import cohort_columns
from flows.study_draft.cohort.table import CohortTable
from flows.study_draft.draft import DraftPhase, Images
from flows.study_draft.text import drafted_text
from flows.tables.text_table import TextTable
from schemas.shown_text import control_character
from schemas.study.text import parsed_study

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
PRINTABLE = WORDS.map(str.strip).filter(lambda text: text and control_character(text) is None)
IDS = ("P1", "P2", "P3", "P4", "P5", "P6")


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(WORDS, min_size=1, max_size=3, unique=True),
    levels=st.lists(WORDS, min_size=2, max_size=3, unique=True),
    said=WORDS,
    description=PRINTABLE,
    segment=PRINTABLE,
)
def test_whatever_others_write_stays_a_value_or_a_comment(tmp_path_factory, names, levels, said, description, segment):
    """Column names, cells, series and segments: quotes, line breaks, number signs, other scripts."""
    cells = [levels[number % len(levels)] for number in range(len(IDS))]
    frame = pl.DataFrame({"ID": IDS, **{f"x{name}": cells for name in names}})
    columns = cohort_columns(TextTable(Path("t.csv"), frame), "ID")
    table = CohortTable("t.csv", "ID", IDS, is_repeated=False, columns=columns, others=("o.csv",), notes=())
    phase = DraftPhase("A", "{patient}", "{patient}", series={"description": description}, segment=segment)
    phase.comments.append(said)
    phase.decide |= dict.fromkeys(("mask", "segment", "series"), said)
    folder = tmp_path_factory.getbasetemp()
    study = parsed_study(drafted_text(folder / "s", folder, Images([phase]), table), "study.toml")
    assert study.phases["A"].series is not None
    assert (study.phases["A"].series.description, study.phases["A"].segment) == (description, segment)
    read = {each.column or name for name, each in study.clinical.variables.items()}
    assert read <= {f"x{name}" for name in names}
