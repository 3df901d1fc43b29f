"""Windows of days before a reference date: what they hold, how they read, what a study file may ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.day_window import DayWindow, WrittenWindow

WRITTEN = TypeAdapter(WrittenWindow)


@given(st.integers(-60, 0), st.integers(-60, 0), st.integers(-70, 10))
def test_both_ends_belong_to_a_window(one, other, day):
    """A window holds its first day, its last day and every day between them."""
    window = DayWindow(min(one, other), max(one, other))
    assert (day in window) == (window.first <= day <= window.last)


@given(st.integers(-100_000, 10))
def test_the_default_window_is_all_time_up_to_the_reference_date(day):
    """Without a window a value counts however old it is, and never after the reference date."""
    assert (day in DayWindow()) == (day <= 0)


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (DayWindow(-14, 0), "14 days"),
        (DayWindow(-1, 0), "1 day"),
        (DayWindow(-30, -7), "30 to 7 days before"),
        (DayWindow(), "up to the reference date"),
        (DayWindow(None, -1), "up to 1 day before"),
    ],
)
def test_a_window_reads_as_people_say_it(window, text):
    """A window's text tells its days without signs."""
    assert str(window) == text


@pytest.mark.parametrize(
    ("written", "message"),
    [([0, -30], "upside down"), ([-30, 1], "would be a leak"), ([-30], "missing"), ([-30, 0.5], "integer")],
    ids=["upside down", "after", "one end", "half a day"],
)
def test_a_window_that_cannot_be_is_refused(written, message):
    """A window ends at or before the reference date, begins before it ends, and has whole days."""
    with pytest.raises(ValidationError, match=r"(?i)" + message):
        WRITTEN.validate_python(written)
