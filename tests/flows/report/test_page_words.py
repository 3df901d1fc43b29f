"""Numbers, units and names as a page prints them."""

from __future__ import annotations

import pytest

from flows.pages import words


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.75185, "0.752"),
        (-0.1569, "\u22120.157"),
        (7.6e-16, "0.000"),
        (-1e-9, "0.000"),
        (1, "1.000"),
        (None, "\u2013"),
    ],
)
def test_decimals_are_fixed_and_zero_has_no_sign(value, printed):
    """Numbers have three decimals and a true minus sign; what rounds to zero has none; nothing is an en dash."""
    assert words.decimals(value) == printed


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0.0004, "<0.001"), (0.001, "0.001"), (0.33401, "0.334"), (1.0, "1.000"), (None, "\u2013")],
)
def test_small_p_values_are_bounds(value, printed):
    """A p value below .001 is printed as a bound."""
    assert words.p_value(value) == printed


def test_a_p_value_in_a_sentence_is_no_zero():
    """Below a thousandth a sentence gives a bound, as the tables do."""
    assert [words.p_words(value) for value in (0.0004, 0.001, 0.0123)] == ["p < 0.001", "p = 0.001", "p = 0.012"]


@pytest.mark.parametrize(
    ("value", "printed"),
    [(1250.4, "1250"), (57.04, "57.0"), (5.716, "5.72"), (0.2154, "0.215"), (0.0, "0.00"), (-12.34, "\u221212.3")],
)
def test_measured_values_have_three_figures(value, printed):
    """Measured values keep about three significant figures."""
    assert words.compact(value) == printed


@pytest.mark.parametrize(
    ("unit", "printed"),
    [
        ("umol/L", "\u00b5mol/L"),
        ("[IU]/mL", "IU/mL"),
        ("10*9/L", "10\u2079/L"),
        ("a", "years"),
        ("mm3", "mm\u00b3"),
        ("U/L", "U/L"),
        ("1", ""),
        (None, ""),
    ],
)
def test_ucum_units_are_written_as_people_write_them(unit, printed):
    """UCUM's codes become the usual symbols."""
    assert words.readable_unit(unit) == printed


@pytest.mark.parametrize(
    ("variable", "unit", "printed"),
    [
        ("diameter_mm>50", "mm", "diameter > 50"),
        ("field_strength_t", "T", "field strength"),
        ("margin=non-smooth", None, "margin = non-smooth"),
        ("mm_ratio", "mm", "mm ratio"),
    ],
)
def test_a_variable_does_not_repeat_its_unit(variable, unit, printed):
    """A unit at the end of a variable's name is left out, since it stands beside it."""
    assert words.readable_variable(variable, unit) == printed


@pytest.mark.parametrize(
    ("seconds", "printed"), [(0.316, "0.3 s"), (144.117, "2 min 24 s"), (3900, "1 h 5 min"), (None, "\u2013")]
)
def test_durations_have_two_units(seconds, printed):
    """A run's duration is told in seconds, minutes or hours."""
    assert words.duration(seconds) == printed


def test_a_stored_time_is_told_to_the_minute():
    """A stored time loses seconds and says that it is UTC."""
    assert words.moment("2026-11-23T06:29:09.773+00:00") == "2026-11-23 06:29 UTC"


def test_a_run_s_facts_become_one_line():
    """A JSON object is told as names and values, lists and truth values in words."""
    assert words.facts('{"changed":true,"models":["cr","rcr"],"failed":0}') == "changed yes, models cr, rcr, failed 0"
    assert words.facts(None) == "\u2013"


def test_counts_agree_with_their_noun():
    """None, one and many take the right noun; a share of nothing is an en dash."""
    assert [words.plural(n, "patient") for n in (0, 1, 2)] == ["no patients", "1 patient", "2 patients"]
    assert words.percent(1, 3) == "33\u00a0%"
    assert words.percent(0, 0) == "\u2013"
