"""Several lesions of an exam: how masks tell them apart, and what of them models read."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from schemas.plain_keys import Combination
from schemas.written.values import Written

__all__ = ["UNION", "LesionPart", "LesionUse", "Lesions"]

UNION = "union"
"""The lesion whose mask is that of all of them."""

LesionUse = Literal["largest", "mean", "volume-weighted", "union"]
"""What models read of several lesions: one of them, an average of their features, or those of their common mask."""

LesionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]


class Lesions(Written):
    """How masks tell several lesions apart, and what of them models read."""

    each: Literal["label", "component"] | Annotated[tuple[LesionName, ...], Field(min_length=1, max_length=200)]
    """Every label of a mask is a lesion, every connected part of the phase's label is, or each of these names, which
    ``{lesion}`` stands for in a mask's path pattern or its segment."""
    use: LesionUse
    minimum_mm3: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    """Of connected parts: a smaller one is no lesion."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Return the names of the lesions, None where masks number them."""
        return None if isinstance(self.each, str) else self.each

    def part(self, label: int, *, union: bool = False) -> LesionPart:
        """Return what is read of a mask's file, whose lesions have a phase's ``label``."""
        each: Literal["label", "component", "mask"] = self.each if isinstance(self.each, str) else "mask"
        return LesionPart(each=each, label=label, minimum_mm3=self.minimum_mm3, union=union)

    @property
    def combination(self) -> Combination:
        """Return how the rows of several lesions become one."""
        return self.use if self.use == "mean" or self.use == "volume-weighted" else "none"

    @field_validator("each")
    @classmethod
    def _names_each_once(cls, each: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not isinstance(each, str):
            if len({name.casefold() for name in each}) < len(each):
                raise ValueError("a lesion is named twice")
            if UNION in each:
                raise ValueError(f"'{UNION}' is what the mask of all lesions is called: choose another name")
        return each

    @model_validator(mode="after")
    def _measures_parts_alone(self) -> Self:
        if self.minimum_mm3 and self.each != "component":
            raise PydanticCustomError("parts_alone", 'minimum_mm3 is about connected parts: each = "component"')
        return self


class LesionPart(Written):
    """What is read of a mask that holds several lesions."""

    each: Literal["label", "component", "mask"]
    """Every label is a lesion, or every connected part of one, or one label of each file is."""
    label: int = 1
    """Of parts and of files."""
    minimum_mm3: float = 0
    """Of parts: a smaller one is no lesion."""
    union: bool = False
    """Whether all of them are one, whose label is 1."""
