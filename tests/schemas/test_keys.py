"""Keys: which names are allowed, and what an extraction's identity depends on."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from strategies import mask_keys, pseudonyms, sha256s

from schemas.features.names import split_phase, with_phase
from schemas.keys import (
    RESERVED_VIEWS,
    FeatureSetName,
    FeatureSetReference,
    MaskKey,
    Name,
    Pseudonym,
    ReaderName,
    canonical_json,
    extraction_id,
    sha256_of_json,
    sql_name,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(sha256s, sha256s, sha256s, sha256s)
def test_extraction_id_depends_on_each_input(image, mask, definition, other):
    """Another image, mask or definition gives another identity, and so does swapping two of them."""
    known = extraction_id(image, mask, definition)
    for changed in (
        (other, mask, definition),
        (image, other, definition),
        (image, mask, other),
        (mask, image, definition),
    ):
        assert (extraction_id(*changed) == known) == (changed == (image, mask, definition))


def test_extraction_id_is_the_published_formula():
    """The identity is SHA-256 over the three hex texts one after another, as the design promises."""
    parts = [hashlib.sha256(word).hexdigest() for word in (b"image", b"mask", b"definition")]
    assert extraction_id(*parts) == hashlib.sha256("".join(parts).encode()).hexdigest()


@given(json_values, st.randoms())
def test_canonical_json_does_not_see_the_order_of_keys(value, random):
    """Mappings with the same entries in another order have one text, which reads back to the same value."""

    def shuffled(each):
        if isinstance(each, dict):
            items = [(key, shuffled(inner)) for key, inner in each.items()]
            random.shuffle(items)
            return dict(items)
        return [shuffled(inner) for inner in each] if isinstance(each, list) else each

    assert canonical_json(shuffled(value)) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


def test_canonical_json_is_pinned():
    """The text has no blanks, keeps letters as they are and all digits of a number: hashes depend on it."""
    value = {"b": [1, 2.5, None, True], "a": "é", "c": 0.1 + 0.2}
    assert canonical_json(value) == '{"a":"é","b":[1,2.5,null,true],"c":0.30000000000000004}'
    # printf '{"a":1}' | sha256sum
    assert sha256_of_json({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_canonical_json_refuses_what_json_lacks(value):
    """A number that JSON cannot write is refused, not written as something other readers reject."""
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": value})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Name, ""),
        (Name, "1st"),
        (Name, "_a"),
        (Name, "a_"),
        (Name, "a__b"),
        (Name, "a b"),
        (Name, "a\n"),
        (Name, "a/b"),
        (Name, "é"),
        (Name, "a" * 65),
        (Pseudonym, ""),
        (Pseudonym, "Anna Smith"),
        (Pseudonym, "../x"),
        (Pseudonym, "a/b"),
        (Pseudonym, "a\\b"),
        (Pseudonym, "-a"),
        (Pseudonym, "p\n"),
        (Pseudonym, "Müller"),
        (Pseudonym, "p" * 65),
        (ReaderName, "R 1"),
        (ReaderName, ""),
        (ReaderName, "a:b"),
        (FeatureSetName, "HCC"),
        (FeatureSetName, "a_b"),
        (FeatureSetName, "a--b"),
        (FeatureSetName, "a@1"),
        (FeatureSetName, "a" * 49),
        (FeatureSetName, "a-v2"),
        (FeatureSetName, "masks"),
        (FeatureSetName, "study-masks"),
        (FeatureSetReference, "a@0"),
        (FeatureSetReference, "a@01"),
        (FeatureSetReference, "a@"),
        (FeatureSetReference, "a@1\n"),
    ],
)
def test_names_that_are_refused(kind, text):
    """Empty, over-long, spaced, path-like and line-broken names, and those of other views, are refused."""
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Name, "AP"),
        (Name, "MR_T1-w"),
        (Name, "a" * 64),
        (Pseudonym, "HCC-001.a:b_c"),
        (Pseudonym, "0"),
        (ReaderName, "R1"),
        (FeatureSetName, "hcc-cemri"),
        (FeatureSetName, "mask"),
        (FeatureSetName, "v2"),
        (FeatureSetReference, "hcc-cemri@12"),
    ],
)
def test_names_that_are_allowed(kind, text):
    """Ordinary names pass unchanged."""
    assert TypeAdapter(kind).validate_python(text) == text


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}([_-][A-Za-z0-9]{1,4}){0,3}", fullmatch=True), st.text(min_size=1))
def test_every_allowed_phase_can_be_split_off_again(phase, column):
    """No name that may be a phase hides the boundary of a pivoted column."""
    assert split_phase(with_phase(TypeAdapter(Name).validate_python(phase), column)) == (phase, column)


@given(pseudonyms)
def test_generated_pseudonyms_are_pseudonyms(text):
    """The tests' own pseudonyms are ones the store accepts."""
    assert TypeAdapter(Pseudonym).validate_python(text) == text


@given(mask_keys)
def test_mask_key_of_a_row(key):
    """A row that has the key's columns among others gives the key back."""
    assert MaskKey.of({"extra": 1, **key._asdict()}) == key


def test_mask_key_reads_as_a_path():
    """A mask key's text names all six parts in order."""
    assert str(MaskKey("p1", "baseline", "AP", "1", "R1", 2)) == "p1/baseline/AP/1/R1.2"


def test_sql_name():
    """A feature set's view needs no quotes: dashes and the version sign are spelled out."""
    assert sql_name("hcc-cemri@1") == "hcc_cemri_v1"
    assert sql_name("hcc-cemri") == "hcc_cemri"


def test_no_allowed_set_takes_a_view_of_another():
    """The newest version's view of one set is never the numbered view of another, nor a fixed view."""
    allowed = [
        name
        for name in ("a", "a-b", "ab", "a1", "a-1", "v", "a-v", "a-vb")
        if TypeAdapter(FeatureSetName).validate_python(name)
    ]
    views = [view for name in allowed for view in (sql_name(name), sql_name(f"{name}@1"), sql_name(f"{name}@11"))]
    assert len(set(views)) == len(views)
    assert not set(views) & RESERVED_VIEWS
