"""Words of others: a terminal, Markdown and a spreadsheet show them, and obey none of them."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.foreign_text import (
    begins_like_a_formula,
    json_printable,
    markdown_text,
    markdown_words,
    one_line,
    printable,
    sheet_text,
    without_folders,
)

ANYTHING = st.text(st.characters(), max_size=60)


@given(ANYTHING)
def test_nothing_that_a_terminal_obeys_is_left(text):
    """No control character, no override of the direction, no half of a character stays; all others do."""
    shown = printable(text)
    assert not any(unicodedata.category(each) in ("Cc", "Cs") for each in shown if each not in "\n\t")
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2028")
    assert printable(shown) == shown
    assert not set(one_line(text)) & set("\n\t\r")


@given(st.recursive(ANYTHING.filter(lambda text: not set(text) & set(map(chr, range(0xD800, 0xE000)))), st.lists))
def test_printable_json_says_the_same(value):
    """JSON whose characters are written as codes is read back equal."""
    text = json_printable(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert printable(text) == text


@given(ANYTHING)
def test_a_sheets_text_can_be_undone_and_never_begins_like_a_formula(text):
    """No cell begins with what a spreadsheet runs but numbers, and one quote taken away gives the text again."""
    cell = sheet_text(text)
    if cell != text:
        assert cell == f"'{text}"
        assert cell[0] == "'"
        assert begins_like_a_formula(cell)
    elif text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
        assert text[1:].replace(",", "").replace(".", "").replace("e", "").replace("E", "").strip("+-").isdecimal()


@pytest.mark.parametrize("text", ["-1.5", "+49", "-.5", "1e-3", "-2,5", "", "a=b", "P-1", "'quoted'", "3 - 2"])
def test_numbers_and_common_texts_stay(text):
    """What no spreadsheet runs is written as it is."""
    assert sheet_text(text) == text


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-2+3", "--1", "\uff1d1+1", "+", "-"],
)
def test_what_a_spreadsheet_may_run_gets_a_quote(text):
    """Each beginning that spreadsheets run, also behind quotes of its own, gets one quote."""
    assert sheet_text(text) == f"'{text}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# Approved for clinical use", "\\# Approved for clinical use"),
        ("a\n\n## Approved", "a ## Approved"),
        ("a\u2028# Approved", "a # Approved"),
        ("- [x] approved", "\\- \\[x\\] approved"),
        ("1. approved", "1\\. approved"),
        ("<img src=x onerror=alert(1)>", "\\<img src=x onerror=alert(1)>"),
        ("[click](javascript:alert(1))", "\\[click\\](javascript:alert(1))"),
        ("![x](http://e.example/a.png)", "!\\[x\\](http:\\//e.example/a.png)"),
        ("[IU](x)", "\\[IU\\](x)"),
        ("[IU]: http", "\\[IU\\]: http"),
        ("www.page.example", "www\\.page.example"),
        ("a|b", "a\\|b"),
        ("quick@1 and me@page.example", "quick@1 and me\\@page.example"),
        ("`code`", "\\`code\\`"),
        ("**bold** _it_ a_b", "\\*\\*bold\\*\\* \\_it\\_ a_b"),
        ("&lt;b&gt; R&D", "\\&lt;b\\&gt; R&D"),
        ("~~gone~~", "\\~\\~gone\\~\\~"),
        ("=====", "\\====="),
        ("\x1b[31m", "\\\\x1b\\[31m"),
        ("diameter_mm>50", "diameter_mm>50"),
        ("AP__original_glcm_Contrast", "AP__original_glcm_Contrast"),
        ("__init__ a_ _b", "\\_\\_init\\_\\_ a\\_ \\_b"),
        ("[IU]/mL", "[IU]/mL"),
        ("original_firstorder_10Percentile", "original_firstorder_10Percentile"),
        ("P-1: 0.5 (n = 3)", "P-1: 0.5 (n = 3)"),
    ],
)
def test_markdown_shows_a_text_as_it_is(text, shown):
    """What Markdown reads as a mark gets a backslash, and the field's own names stay readable."""
    assert markdown_text(text) == shown


def test_all_texts_of_a_value_are_made_fit_for_markdown():
    """Names and texts at every depth are, numbers stay numbers."""
    assert markdown_words({"<b>": ["# a", (1, "x|y")], "n": 0.5}) == {"\\<b>": ["\\# a", (1, "x\\|y")], "n": 0.5}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/jane/study/images/P1.nii.gz is missing", "\u2026/P1.nii.gz is missing"),
        ("cannot read '/srv/x/y.csv'", "cannot read '\u2026/y.csv'"),
        ("C:\\Users\\jane\\P1.nii is missing", "\u2026/P1.nii is missing"),
        ("masks/P1.nii.gz", "masks/P1.nii.gz"),
        ("https://doi.org/10.1000/x", "https://doi.org/10.1000/x"),
        ("10*9/L and mg/dL, AP/DP", "10*9/L and mg/dL, AP/DP"),
    ],
)
def test_absolute_paths_become_names(text, shown):
    """Folders of an absolute path are left out; relative paths, units and addresses stay."""
    assert without_folders(text) == shown
