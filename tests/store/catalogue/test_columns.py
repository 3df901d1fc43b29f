"""Rows of numbers as Arrow columns: those that column by column would give, to the last bit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import AWKWARD_FLOATS

from store.catalogue.columns import arrow_column, arrow_numbers

values = st.sampled_from([*AWKWARD_FLOATS, None, 0, -3, 2**53 + 1, 2**63, np.float64(0.1), float("nan")]) | st.floats()
tables = st.integers(0, 4).flatmap(lambda width: st.lists(st.lists(values, min_size=width, max_size=width), max_size=5))


@settings(max_examples=200, deadline=None)
@given(tables)
def test_rows_give_the_columns_of_columns(rows):
    """Nulls where there is None, and every number's bits."""
    width = len(rows[0]) if rows else 3
    found = arrow_numbers(iter(rows), len(rows), width)
    assert len(found) == width
    for at, column in enumerate(found):
        column.validate(full=True)
        expected = arrow_column([row[at] for row in rows], pa.float64())
        assert column.type == pa.float64()
        assert column.is_null().to_pylist() == expected.is_null().to_pylist()
        bits = [np.asarray(each.fill_null(0.0)).tobytes() for each in (column, expected)]
        assert bits[0] == bits[1]


@pytest.mark.parametrize("row", [["1.5", "2"], [1.0, 2j], [2**70, 1.0]])
def test_what_is_no_number_is_refused(row):
    """A text that reads as a number would become one in silence."""
    with pytest.raises(TypeError, match="a row of numbers holds"):
        arrow_numbers([row], 1, 2)


@pytest.mark.parametrize(("rows", "many"), [([[1.0]], 1), ([[1.0, 2.0, 3.0]], 1), ([[1.0, 2.0]], 2), ([[1, 2]] * 3, 2)])
def test_rows_of_another_number_or_width_are_refused(rows, many):
    """One number would fill a row, and a row that is lacking be what the memory held."""
    with pytest.raises(ValueError, match=r"shape|shorter|longer"):
        arrow_numbers(rows, many, 2)
