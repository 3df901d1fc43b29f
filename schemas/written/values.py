"""What every table of a study file has in common."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, StringConstraints, model_serializer

__all__ = ["SheetName", "Written"]

SheetName = Annotated[str, StringConstraints(min_length=1, max_length=31)]
"""Of a workbook, as Excel allows it."""


class Written(BaseModel):
    """What a person writes: unknown keys are refused, values do not change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    declared_later: ClassVar[frozenset[str]] = frozenset()
    """Keys that former releases did not have: a study that does not give them is on record as it was before."""

    @model_serializer(mode="wrap")
    def _as_recorded(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = written(self)
        for name in self.declared_later:
            if getattr(self, name) == type(self).model_fields[name].get_default(call_default_factory=True):
                values.pop(name, None)
        return values
