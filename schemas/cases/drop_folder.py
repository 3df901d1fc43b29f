"""The study file's table ``[drop]``: a folder in which others leave images, and when what lies there is complete."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.written.values import Written

__all__ = ["DropFolder"]

_Folder = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00-\x1f\x7f]+$")]
_FileName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^/\x00-\x1f\x7f]+$")]


class DropFolder(Written):
    """Where exports are left, when one is complete, and where it goes."""

    folder: _Folder
    """Relative to the study file. Each file or folder directly in it is one delivery."""
    into: _Folder
    """The folder that complete deliveries are moved to, where the patterns of images and masks find them."""
    quarantine: _Folder
    """The folder that others are moved to, each with a file that has the reason."""
    quiet_minutes: Annotated[float, Field(gt=0, le=7 * 24 * 60)] = 10
    """A delivery is complete once nothing of it has changed for so long."""
    manifest: _FileName | None = None
    """A file of SHA-256 hashes in each delivery, as sha256sum writes it: one is complete once all are right."""
    give_up_hours: Annotated[float, Field(gt=0, le=90 * 24)] = 24
    """After so long without a change a delivery that is not complete is quarantined."""

    @model_validator(mode="after")
    def _is_of_three_folders(self) -> Self:
        if len({self.folder, self.into, self.quarantine}) < 3:
            raise PydanticCustomError("folder", "folder, into and quarantine are three folders")
        if self.give_up_hours * 60 <= self.quiet_minutes:
            raise PydanticCustomError("give_up_hours", "give_up_hours is longer than quiet_minutes")
        return self
