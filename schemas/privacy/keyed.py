"""Pseudonyms and shifts of days by a key: the same for a patient in every study with that key."""

from __future__ import annotations

import base64
import hashlib
import hmac

__all__ = ["KEY_BYTES", "MOST_DAYS", "PSEUDONYM_LENGTH", "day_shift", "key_fingerprint", "keyed_pseudonym"]

KEY_BYTES = 32
PSEUDONYM_LENGTH = 16
"""Characters of 5 bits each: among a million patients two have the same with a chance of 4 in 10^13."""
MOST_DAYS = 3650


def keyed_pseudonym(key: bytes, written: str) -> str:
    """Return a patient's pseudonym: the first 80 bits of HMAC-SHA-256 (RFC 2104) in base32 (RFC 4648).

    Parameters
    ----------
    key : bytes
        The key.
    written : str
        The id as the table writes it.

    Examples
    --------
    >>> keyed_pseudonym(bytes(32), "P1")
    'EJHCYU57O4AIJ4VW'
    """
    digest = _digest(key, "patient", written)
    return base64.b32encode(digest[: PSEUDONYM_LENGTH * 5 // 8]).decode("ascii")


def day_shift(key: bytes, written: str) -> int:
    """Return by how many days a patient's dates are moved back: 1 to `MOST_DAYS`, all alike likely.

    Parameters
    ----------
    key, written
        As `keyed_pseudonym` takes them; the pseudonym tells nothing of the days to whom has no key.
    """
    return int.from_bytes(_digest(key, "days", written)[:16], "big") % MOST_DAYS + 1


def key_fingerprint(key: bytes) -> str:
    """Return 16 hex digits that tell whether two keys are one, and nothing else of the key."""
    return _digest(key, "fingerprint", "").hex()[:16]


def _digest(key: bytes, purpose: str, text: str) -> bytes:
    return hmac.new(key, f"radzoo {purpose}\0{text}".encode(), hashlib.sha256).digest()
