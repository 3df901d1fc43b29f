"""Clinical variables: conversions by named factors, plausible ranges in any unit of the quantity."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.clinical import COMMON_UNITS, KNOWN_VARIABLES, ClinicalVariable, _parsed, converted

# Factors: SI prefixes (NIST SP 811, table 5); inch and pound (NIST SP 811, appendix B.8); year and month
# (UCUM 2.1, table 3: a = 365.25 d, mo = a/12); 1 U = 1 umol/min = 1/60 ukat (IUPAC Gold Book, E02031).
FACTORS = [
    ("g/dL", "g/L", 10),
    ("cm", "mm", 10),
    ("10*3/uL", "10*9/L", 1),
    ("10*6/mL", "10*9/L", 1),
    ("[IU]/mL", "k[IU]/L", 1),
    ("mmol/L", "umol/L", 1000),
    ("[in_i]", "mm", 25.4),
    ("[lb_av]", "kg", 0.45359237),
    ("a", "mo", 12),
    ("a", "d", 365.25),
    ("U/L", "ukat/L", 1 / 60),
    ("%", "1", 0.01),
]


@pytest.mark.parametrize(("unit", "to", "factor"), FACTORS)
@settings(deadline=None)  # the first unit waits for the UCUM grammar
@given(value=st.floats(-1e6, 1e6))
def test_conversion_by_the_named_factor(unit, to, factor, value):
    """A value is multiplied by the factor that the unit's definition gives, and back by its inverse."""
    assert math.isclose(converted(value, unit, to), value * factor, rel_tol=1e-12, abs_tol=1e-300)
    assert math.isclose(converted(value * factor, to, unit), value, rel_tol=1e-12, abs_tol=1e-300)


@pytest.mark.parametrize("unit", sorted(COMMON_UNITS))
def test_a_common_unit_is_one_by_the_grammar_too(unit):
    """What passes without the UCUM grammar is a unit by it, and measures something."""
    assert _parsed(unit).magnitude > 0


def test_conversion_of_temperatures():
    """Scales with another zero are shifted as well: 98.6 °F is 37 °C is 310.15 K (NIST SP 811, appendix B.8)."""
    assert converted(98.6, "[degF]", "Cel") == pytest.approx(37)
    assert converted(37, "Cel", "K") == pytest.approx(310.15)


@given(st.floats(allow_nan=False))
def test_the_same_unit_leaves_the_value_untouched(value):
    """Where nothing is to be converted no rounding happens."""
    assert converted(value, "umol/L", "umol/L") == value


@pytest.mark.parametrize(("unit", "to"), [("mg/dL", "umol/L"), ("1", "m"), ("[IU]/mL", "ug/L"), ("mm", "a")])
def test_conversion_to_another_quantity_is_refused(unit, to):
    """Mass is not amount of substance and an international unit is no mass: both units are named."""
    with pytest.raises(ValueError, match="cannot be expressed") as caught:
        converted(1, unit, to)
    assert f"'{unit}'" in str(caught.value)
    assert f"'{to}'" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "unit", "low", "high"),
    [("alb", "g/dL", 0.5, 7), ("age", "mo", 0, 1440), ("platelets", "10*3/uL", 1, 3000), ("alb", "g/L", 5, 70)],
)
def test_plausible_range_in_the_declared_unit(name, unit, low, high):
    """A known variable's range is given in the unit that the study's table is written in."""
    assert ClinicalVariable(unit=unit).plausible_range(name) == pytest.approx((low, high))


@pytest.mark.parametrize("own", [None, (0.0, 10.0)])
def test_known_variable_in_a_unit_of_another_quantity_is_refused(own):
    """Aspartate aminotransferase in mm is a slip, with a range of the study's own as well."""
    with pytest.raises(ValueError, match=r"'mm' measures no aspartate aminotransferase, .* like 'U/L'"):
        ClinicalVariable(unit="mm", range=own).plausible_range("ast")


def test_a_studys_own_range_holds():
    """A range in the study file replaces the known one."""
    assert ClinicalVariable(unit="U/L", range=(10, 20)).plausible_range("ast") == (10, 20)


def test_a_variable_nobody_knows_has_no_bounds():
    """Without a range of its own any number of an unknown variable, and any category, is plausible."""
    everything = (-math.inf, math.inf)
    assert ClinicalVariable(unit="mm").plausible_range("thickness") == everything
    assert ClinicalVariable(levels=("a", "b")).plausible_range("age") == everything


def test_a_known_variable_may_have_the_other_unit_that_laboratories_use():
    """AFP by mass and bilirubin in mg/dL (17.1 umol/L a mg/dL: 584.7 g a mol) have the same range in their own unit."""
    assert ClinicalVariable(unit="ng/mL").plausible_range("afp") == (0, 6e6)
    assert ClinicalVariable(unit="ug/L").plausible_range("afp") == pytest.approx((0, 6e6))
    low, high = ClinicalVariable(unit="mg/dL").plausible_range("tbil")
    assert (low * 17.1, high * 17.1) == pytest.approx((0.5, 1500), rel=0.03)
    with pytest.raises(ValueError, match=r"'mm' measures no alpha-fetoprotein, .* a unit like '\[IU\]/mL' or 'ng/mL'"):
        ClinicalVariable(unit="mm").plausible_range("afp")


@pytest.mark.parametrize("name", KNOWN_VARIABLES)
def test_known_variables_are_usable_as_they_are(name):
    """Each known unit is UCUM and each known range is upright."""
    known = KNOWN_VARIABLES[name]
    low, high = ClinicalVariable(unit=known.unit).plausible_range(name)
    assert (low, high) == (known.low, known.high)
    assert low < high


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "either a UCUM unit"),
        ({"unit": "mm", "levels": ("a",)}, "either a UCUM unit"),
        ({"unit": "mmHg"}, "'mmHg' is not a UCUM unit"),
        ({"unit": "u/l!"}, "not a UCUM unit"),
        ({"unit": ""}, "not a UCUM unit"),
        ({"unit": "mm", "range": (2, 1)}, "upside down"),
        ({"unit": "mm", "range": (math.nan, 1)}, "upside down"),
        ({"levels": ()}, "one or more different"),
        ({"levels": ("a", "a")}, "one or more different"),
        ({"levels": ("a", "b"), "range": (0, 1)}, "a category has levels alone"),
        ({"unit": "mm", "unti": "cm"}, "Extra inputs"),
    ],
)
def test_contradictory_declarations_are_refused(fields, fault):
    """A variable is a number with a unit and an upright range, or a category with different levels."""
    with pytest.raises(ValidationError, match=fault):
        ClinicalVariable(**fields)


def test_kind():
    """A unit makes a number, levels make a category."""
    assert ClinicalVariable(unit="1").kind == "number"
    assert ClinicalVariable(levels=("a",)).kind == "category"


def test_a_unit_that_is_an_annotation_alone_is_dimensionless():
    """UCUM takes {score} for 1; what measures a known quantity is refused with it, as with 1."""
    variable = ClinicalVariable(unit="{score}")
    assert variable.plausible_range("points") == (float("-inf"), float("inf"))
    with pytest.raises(ValueError, match="measures no age"):
        variable.plausible_range("age")
    assert converted(3, "{score}", "1") == 3
