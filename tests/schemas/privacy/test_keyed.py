"""Pseudonyms and shifts by a key, and what the study file must give for them."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ContractError
from schemas.privacy.keyed import MOST_DAYS, day_shift, key_fingerprint, keyed_pseudonym
from schemas.study.text import parsed_study

KEYS = st.binary(min_size=32, max_size=32)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True)


def hmac_sha256(key: bytes, text: bytes) -> bytes:
    """Return HMAC-SHA-256 as RFC 2104 writes it: H(K xor opad, H(K xor ipad, text))."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(each ^ 0x36 for each in block) + text).digest()
    return hashlib.sha256(bytes(each ^ 0x5C for each in block) + inner).digest()


@given(KEYS, IDS)
def test_a_pseudonym_is_the_first_80_bits_of_the_hmac_in_base32(key, written):
    """As RFC 2104 and RFC 4648 define them."""
    pseudonym = keyed_pseudonym(key, written)
    assert pseudonym == base64.b32encode(hmac_sha256(key, b"radzoo patient\0" + written.encode())[:10]).decode()
    assert len(pseudonym) == 16
    assert key.hex() not in key_fingerprint(key)


@given(KEYS, IDS)
def test_dates_move_back_by_one_to_3650_days_that_the_pseudonym_does_not_tell(key, written):
    """The number is of another hash than the pseudonym."""
    expected = int.from_bytes(hmac_sha256(key, b"radzoo days\0" + written.encode())[:16], "big") % 3650 + 1
    assert day_shift(key, written) == expected
    assert 1 <= expected <= MOST_DAYS


def test_shifts_are_spread_over_all_days():
    """Of 20,000 patients each tenth of the range has about a tenth."""
    shifts = [day_shift(b"k" * 32, f"P{number}") for number in range(20_000)]
    counts = [sum(1 + 365 * tenth <= each < 1 + 365 * (tenth + 1) for each in shifts) for tenth in range(10)]
    assert sum(counts) == len(shifts)
    assert all(abs(count - 2000) < 5 * 43 for count in counts)  # five standard deviations


STUDY = """[study]
id = "s"
title = "s"
[cohort]
table = "t.csv"
[clinical.variables.afp]
unit = "[IU]/mL"
[privacy]
"""


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('pseudonyms = "hash"', 'pseudonyms = "hash" needs a key'),
        ('pseudonyms = "map"\nkey = "k"', 'pseudonyms = "map" needs the table'),
        ('pseudonyms = "map"\nmap = "m.csv"', "dates are shifted by a key"),
        ('pseudonyms = "hash"\nkey = "k"\nmap = "m.csv"', 'a map is read with pseudonyms = "map" only'),
        ('pseudonyms = "map"\nkey = "k"\nmap = "m.csv"\ndates = "keep"', "nothing of this table uses the key"),
        ('pseudonyms = "rot13"\nkey = "k"', "'hash' or 'map'"),
        ('key = "k"', "pseudonyms"),
        ('pseudonyms = "hash"\nkey = "a\\u0000b"', "key"),
    ],
)
def test_a_table_that_lacks_something_is_refused_with_its_line(table, message):
    """Each with what it needs."""
    with pytest.raises(ContractError) as caught:
        parsed_study(STUDY + table, "study.toml")
    assert message in caught.value.message
    assert caught.value.where is not None
    assert int(caught.value.where.rpartition(":")[2]) >= 8


def test_a_study_without_the_table_is_on_record_as_before():
    """Old definitions keep their hash."""
    assert "privacy" not in parsed_study(STUDY.removesuffix("[privacy]\n"), "study.toml").model_dump(mode="json")
