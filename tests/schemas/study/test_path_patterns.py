"""Path patterns: plain fields alone, one fault for each thing that no path has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.study.path_patterns import PATTERN_FIELDS, filled_pattern, pattern_fault, pattern_parts
from schemas.study.text import study_reading

VALUES = {"patient": "P1", "phase": "AP", "reader": "R1", "reading": 2}
TEXT = """[study]
id = "s"
title = "t"
[cohort]
table = "p.csv"
[phases.AP]
image = {}
mask = "{{patient}}_m.nii"
"""
FOREIGN = [
    "{patient:{x}}",
    "{reading:>2000000000}",
    "{reading:02}",
    "{patient!r}",
    "{patient.x}",
    "{patient[0]}",
    "{patient.__class__.__mro__}",
    "{0}",
    "{}",
    "{ patient }",
    "{Patient}",
    "{patient",
    "patient}",
    "{{patient}}",
    "{patient}}",
    "{{{patient}",
    "{patient:",
    "{patient!",
    "{patient\n}",
]


@pytest.mark.parametrize("field", FOREIGN)
def test_what_is_no_plain_field_is_one_fault_with_what_is_allowed(field):
    """Formats, conversions, attributes, positions, nesting and loose braces are named with the fields there are."""
    fault = pattern_fault(f"images/{field}.nii")
    assert "known are {patient}, {exam}, {phase}, {lesion}, {reader}, {reading}" in fault
    assert len(fault) < 200


@pytest.mark.parametrize("field", FOREIGN)
def test_the_study_file_names_the_line_of_a_pattern(field):
    """The fault stands where the study file is read, on the pattern's line, and is the only one."""
    written = '"' + f"images/{field}.nii".replace("\n", "\\n") + '"'
    faults = study_reading(TEXT.format(written), "study.toml").faults
    (fault,) = faults
    assert fault.where == "study.toml:7"
    assert fault.message.startswith("phases.AP.image: ")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a\0{patient}.nii", "it has a character that no path has (NUL)"),
        ("a\x1b[2J{patient}.nii", "it has a control character (U+001B)"),
        ("a\u202e{patient}.nii", "it has a character that turns the direction of writing (U+202E)"),
        ("images\\{patient}.nii", "it has a backslash: write / between folders"),
        ("images/{patient}*.nii", "it has a wildcard, and a pattern names one file; known are"),
        ("images/{patient}?.nii", "it has a wildcard, and a pattern names one file; known are"),
        ("~/images/{patient}.nii", "~ is not replaced by a home folder: write the folder out"),
        ("{patient}" + 256 * "a", "a part of it is longer than a name may be (255 bytes)"),
        ("{patient}" + 128 * "ä", "a part of it is longer than a name may be (255 bytes)"),
        ("{patient}" + 2100 * "/a", "it is longer than a path may be (4096 bytes)"),
        ("", "a pattern has the path of a file"),
        ("  ", "a pattern has the path of a file"),
        ("{" + 10_000 * "x" + "}", "unknown field {xxx"),
    ],
)
def test_what_no_path_has_is_named(pattern, message):
    """Characters and lengths that no file's name has are refused before a file is looked for."""
    assert pattern_fault(pattern).startswith(message)
    assert len(pattern_fault(pattern)) < 200
    with pytest.raises(ValueError, match=r"."):
        filled_pattern(pattern, VALUES)


def test_plain_fields_are_filled():
    """Each field gives its value, as often as it stands there; other folders may be named."""
    assert filled_pattern("../{phase}/{patient}/{patient}_{reader}.{reading}.nii", VALUES) == "../AP/P1/P1_R1.2.nii"
    assert filled_pattern("/data/Übersicht [1]/{patient}.nii", VALUES) == "/data/Übersicht [1]/P1.nii"


@pytest.mark.parametrize("value", ["../../x", "a/b", "..", ".", "a\0b"])
def test_no_value_leads_into_another_folder(value):
    """A value with a slash, or that is a folder above, is never put into a path, whoever let it through."""
    with pytest.raises(ValueError, match="no part of a file's name"):
        filled_pattern("images/{patient}/x.nii", VALUES | {"patient": value})


@given(st.text(alphabet="{}patienrdgphs:!.[]0 /", max_size=30))
def test_every_text_is_a_fault_or_is_filled_without_braces(text):
    """A text without fault consists of text and fields; what it gives has no brace and grows by the values alone."""
    if pattern_fault(text) is None:
        assert "".join(f"{{{part}}}" if is_field else part for part, is_field in pattern_parts(text)) == text
        filled = filled_pattern(text, VALUES)
        assert not {"{", "}"} & set(filled)
        assert len(filled) <= len(text)
        assert {part for part, is_field in pattern_parts(text) if is_field} <= set(PATTERN_FIELDS)
