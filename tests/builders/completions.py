"""What the tests of all stagings share: every way to fill in what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

from zoo.staging.results import Stage

__all__ = ["POSSIBLE", "stages_of_completions"]

# One value on each side of every cut point, and the cut points themselves.
POSSIBLE: dict[str, tuple[Any, ...]] = {
    "ecog_ps": (0, 1, 2, 3, 4),
    "child_pugh": ("A", "B", "C"),
    "vascular_invasion": ("present", "absent"),
    "major_branch_invasion": ("present", "absent"),
    "extrahepatic_spread": ("present", "absent"),
    "tumour_number": (1, 2, 3, 4),
    "diameter_mm": (10.0, 20.0, 20.1, 30.0, 30.1, 50.0, 50.1),
}

StageOf = Callable[..., Stage]


def stages_of_completions(stage_of: StageOf, patient: Mapping[str, Any]) -> set[str]:
    """Return the stages which a patient has over all fillings of the missing inputs."""
    absent = [name for name, value in patient.items() if value is None]
    filled = (
        stage_of(**{**patient, **dict(zip(absent, values, strict=True))})
        for values in product(*(POSSIBLE[name] for name in absent))
    )
    return {each.value for each in filled if each.value is not None}
