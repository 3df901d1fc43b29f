"""The inputs that several stagings share: tumour burden, spread, performance status and liver function."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from zoo.staging.inputs import Category, Input, Quantity, Value, impossible

__all__ = ["AFP", "BURDEN", "CONDITION", "PRESENCE", "UG_L_PER_IU_ML_AFP", "impossible_burden"]

UG_L_PER_IU_ML_AFP = 1.21
"""By the WHO standard 72/225; a convention, as assays differ."""

PRESENCE = Category(("present", "absent"))

AFP = Quantity("ug/L", factors=(("[IU]/mL", UG_L_PER_IU_ML_AFP),))

BURDEN: Mapping[str, Input] = MappingProxyType(
    {
        "tumour_number": Quantity("1", least=1, is_whole=True),
        "diameter_mm": Quantity("mm", is_least_possible=False),
        "second_diameter_mm": Quantity("mm", is_least_possible=False),
    }
)
"""``diameter_mm`` is the largest tumour's, so that "all up to 3 cm" is about it alone.

``second_diameter_mm`` decides nothing and may be missing; it is read because it can contradict the other two.
"""

CONDITION: Mapping[str, Input] = MappingProxyType(
    {
        "ecog_ps": Quantity("1", most=4, is_whole=True),
        "child_pugh": Category(("A", "B", "C")),
    }
)


def impossible_burden(inputs: Mapping[str, Input], values: Mapping[str, Value]) -> str | None:
    """Return which input cannot be, alone or beside the others of the tumour burden; None where all can."""
    reason = impossible(inputs, values)
    if reason is not None:
        return reason
    number, largest, second = (values.get(name) for name in BURDEN)
    if second is not None and number == 1:
        return "tumour_number is impossible: 1, although there is a second_diameter_mm"
    if isinstance(second, float | int) and isinstance(largest, float | int) and second > largest:
        return f"second_diameter_mm is impossible: {second:g} mm, larger than diameter_mm, {largest:g} mm"
    return None
