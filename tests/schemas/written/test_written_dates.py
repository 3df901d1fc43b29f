"""Dates of tables: what is a day, and what another notation is named as."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.written.dates import written_day

MIDNIGHTS = ["", " 00:00", "T00:00:00", " 00:00:00.000000", "T00:00:00Z", "T00:00:00+01:00", " 00:00:00 UTC"]


@given(st.dates(), st.sampled_from(MIDNIGHTS))
def test_midnight_of_a_day_is_the_day(day, midnight):
    """A day, alone or with midnight in any notation of ISO 8601, is that day."""
    assert written_day(f"{day.isoformat()}{midnight}") == day.isoformat()


@given(st.dates())
def test_a_day_without_dashes_is_the_day(day):
    """DICOM's notation is read, and so is what a floating-point column makes of it."""
    written = day.isoformat().replace("-", "")
    assert written_day(written) == written_day(f"{written}.0") == day.isoformat()


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("2020-01-01 13:45:00", "it has a time of day; write the day alone"),
        ("2020-01-01T23:00:00Z", "it has a time of day"),
        ("2020-01-01 00:00:01", "it has a time of day"),
        ("43831", "a spreadsheet's day number, which would be 2020-01-01"),
        ("43831.0", "a spreadsheet's day number, which would be 2020-01-01"),
        (
            "01.02.2020",
            "it looks like DD.MM.YYYY; where days are written so, say it beside 'table' in the study file: "
            'dates = "DD.MM.YYYY"',
        ),
        ("1.2.20", "its year has two digits; write all four"),
        ("01/02/2020", "it does not tell whether the day or the month is first"),
        ("2020/01/31", 'dates = "YYYY/MM/DD"'),
        ("2020-1-3", "month and day have two digits each"),
        ("2020-02-30", "the calendar has no such day"),
        ("1577836800", "seconds or milliseconds since 1970"),
        ("2020", "it is no single day"),
        ("03-Jan-2020", "it writes the month as a word"),
        ("NaT", "list it under 'missing'"),
    ],
)
def test_other_notations_are_named_and_never_guessed(cell, words):
    """What a cell looks like stands in the refusal, and the notation that is read."""
    with pytest.raises(ValueError, match=r"is no date \(YYYY-MM-DD\): ") as caught:
        written_day(cell)
    assert words in str(caught.value)


@given(st.text(max_size=20))
def test_any_text_is_a_day_or_refused(cell):
    """No cell makes another error than the refusal."""
    with suppress(ValueError):
        assert len(written_day(cell)) == 10


@pytest.mark.parametrize(
    "cell", ["2020-W01-1", "2020W011", "\uff12\uff10\uff12\uff10-01-01", "0000-01-01", "99999-01-01"]
)
def test_weeks_foreign_digits_and_years_without_a_calendar_are_no_days(cell):
    """What Python would read beyond YYYY-MM-DD is refused as any other notation."""
    with pytest.raises(ValueError, match="is no date"):
        written_day(cell)
