"""Keys that name a patient, an image and an extraction, and their content hashes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints

from schemas.plain_keys import RESERVED_VIEWS, MaskKey, sql_name

__all__ = [
    "RESERVED_VIEWS",
    "FeatureSetName",
    "FeatureSetReference",
    "MaskKey",
    "Name",
    "Pseudonym",
    "ReaderName",
    "canonical_json",
    "extraction_id",
    "joint_context",
    "phase_context",
    "sha256_of_json",
    "sql_name",
]

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*$", max_length=64)]
"""A study, phase, model, split or variable: letters and digits, joined by single ``_`` or ``-``."""

Pseudonym = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length=64)]
"""A patient or lesion: never a name, a date of birth or a hospital number."""

ReaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
"""Who drew a mask."""


def _with_a_view_of_its_own(name: str) -> str:
    if sql_name(name) in RESERVED_VIEWS or re.search(r"-v[0-9]+$", name):
        raise ValueError(
            f"'{name}' is the name of another view in SQL: choose another, without -v and a number at the end"
        )
    return name


FeatureSetName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=48),
    AfterValidator(_with_a_view_of_its_own),
]
"""A feature set without its version: lower case, digits, dashes."""

FeatureSetReference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*(@[1-9][0-9]*)?$")]
"""A feature set as people write it: ``name`` (newest version) or ``name@N``."""


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no blanks, full float precision."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_of_json(value: Any) -> str:
    """Return the SHA-256 (64 hex digits) of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def extraction_id(image_sha256: str, mask_sha256: str, definition_sha256: str, context_sha256: str = "") -> str:
    """Return the identity of one extraction, its row id and its cache key.

    ``sha256(image content + mask content + definition + context)``: the same always give the same values,
    whichever study or file path asked for them. The context is what else decides them, `joint_context` of the
    exam's images and masks where several are computed together, `phase_context` where the phase counts; empty where
    image and mask are all.
    """
    parts = f"{image_sha256}{mask_sha256}{definition_sha256}{context_sha256}"
    return hashlib.sha256(parts.encode("ascii")).hexdigest()


def joint_context(contents: Sequence[tuple[str, str]]) -> str:
    """Return the hash of images and masks that are computed together, the fixed one first, the others in any order.

    Parameters
    ----------
    contents : sequence of (str, str)
        ``image_sha256`` and ``mask_sha256`` of each.
    """
    fixed, *others = (list(each) for each in contents)
    return sha256_of_json([fixed, sorted(others)])


def phase_context(phase: str) -> str:
    """Return the hash of a phase's name, for sets that treat an image by the phase it is of."""
    return hashlib.sha256(phase.encode("ascii")).hexdigest()
