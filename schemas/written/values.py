"""What every table of a study file has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Written"]


class Written(BaseModel):
    """What a person writes: unknown keys are refused, values do not change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)
