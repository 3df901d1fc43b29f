"""The line of a TOML path, in documents full of text that looks like something else."""

from __future__ import annotations

import tomllib
from functools import reduce

import pytest
from hypothesis import given, settings
from strategies import toml_documents

from schemas.study.toml_lines import line_of


@settings(max_examples=150, deadline=None)
@given(toml_documents())
def test_every_written_path_has_its_line(document):
    """Tables, arrays of tables, dotted and quoted keys and array elements have the line they stand on."""
    text, written = document
    value = tomllib.loads(text)
    for path in written:
        reduce(lambda inner, part: inner[part], path, value)  # the generator's own claim: the path is there
    assert {path: line_of(text, path) for path in written} == written


@settings(max_examples=50, deadline=None)
@given(toml_documents())
def test_what_is_not_written_has_its_parents_line(document):
    """A missing key is reported where its table stands, and at line 1 where there is none."""
    text, written = document
    assert {path: line_of(text, (*path, "absent", 3)) for path in written} == written
    assert line_of(text, ("absent",)) == line_of(text, ()) == 1


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\r\n[t]\r\nb = 2\r\n", ("t", "b"), 3),
        ('a = "one\u2028line"\nb = 2\n', ("b",), 2),
        ('a = """x""""\nb = 2\n', ("b",), 2),
        ('a = """\n\\"""\n"""\nb = 2\n', ("b",), 4),
        ('a = "\\\\"\nb = "\\""\nc = 1\n', ("c",), 3),
        ('"\\u0061" = 1\n', ("a",), 1),
        ("x = 1\na.b.c = 1\n", ("a", "b"), 2),
        ("x = 1\na.b.c = 1\n", ("a", "missing"), 2),
        ("\n[a.b]\nx = 1\n\n[a]\ny = 2\n", ("a",), 5),
        ("\n[a.b]\nx = 1\n", ("a",), 2),
        ("\n[[r]]\n[[r.s]]\n[[r]]\n[[r.s]]\n[[r.s]]\ny = 2\n", ("r", 1, "s", 1, "y"), 7),
        ("\n[[r]]\n[r.s]\ny = 1\n[[r]]\n[r.s]\ny = 2\n", ("r", 1, "s", "y"), 7),
        ("\n[[r]]\n\n[[r]]\n", ("r",), 2),
        ("m = [\n  [1,\n   2],\n  [3],\n]\n", ("m", 0, 1), 3),
        ("m = [\n  [1,\n   2],\n  [3],\n]\n", ("m", 1), 4),
        ("t = 07:32:00\nd = 1979-05-27 07:32:00\nb = 1", ("b",), 3),
    ],
)
def test_line_of_single_cases(text, path, line):
    """Line ends, escapes, quotes at the end of quotes, implied tables and nested arrays do not shift the line."""
    tomllib.loads(text)
    assert line_of(text, path) == line


def test_an_empty_document():
    """In an empty document everything stands on line 1."""
    assert line_of("", ("a", 0)) == 1
