"""The study file's table ``[privacy]``: how ids become pseudonyms, and what becomes of dates."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.written.values import Written

__all__ = ["Privacy"]

_File = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Privacy(Written):
    """What a study asks for where its tables hold ids and dates that its store shall not have."""

    pseudonyms: Literal["hash", "map"]
    """By a keyed hash of the id, or as a table says."""
    key: _File | None = None
    """The file of the key, relative to the study file; made where there is none."""
    map: _File | None = None
    """The table of pseudonyms, with the columns ``id`` and ``pseudonym``."""
    dates: Literal["shift", "keep"] = "shift"
    """Whether each patient's dates are moved by a number of days of the patient's own, which the key gives."""

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.pseudonyms == "hash" and self.key is None:
            raise PydanticCustomError("key", 'pseudonyms = "hash" needs a key: key = "FILE", which radzoo makes')
        if self.pseudonyms == "map" and self.map is None:
            raise PydanticCustomError("map", 'pseudonyms = "map" needs the table: map = "FILE.csv"')
        if self.pseudonyms == "hash" and self.map is not None:
            raise PydanticCustomError("map", 'a map is read with pseudonyms = "map" only')
        if self.dates == "shift" and self.key is None:
            raise PydanticCustomError(
                "key", 'dates are shifted by a key: give key = "FILE", which radzoo makes, or dates = "keep"'
            )
        if self.pseudonyms == "map" and self.dates == "keep" and self.key is not None:
            raise PydanticCustomError("key", "nothing of this table uses the key")
        return self
