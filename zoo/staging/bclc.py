"""The Barcelona Clinic Liver Cancer (BCLC) staging, 2022 update."""

from __future__ import annotations

import math
from functools import partial
from types import MappingProxyType

from zoo.staging.description import Comparator
from zoo.staging.inputs import Value
from zoo.staging.logic import Rule, at_most, every, exceeds, first_that_holds, is_level, some
from zoo.staging.results import Stage
from zoo.staging.tumour import BURDEN, CONDITION, PRESENCE, impossible_burden

__all__ = ["BCLC", "BCLC_INPUTS", "BCLC_STAGES", "bclc", "bclc_comparator"]

BCLC_STAGES = ("0", "A", "B", "C", "D")
BCLC_INPUTS = MappingProxyType({**CONDITION, "vascular_invasion": PRESENCE, "extrahepatic_spread": PRESENCE, **BURDEN})


def bclc(
    *,
    ecog_ps: float | None = None,
    child_pugh: str | None = None,
    vascular_invasion: str | None = None,
    extrahepatic_spread: str | None = None,
    tumour_number: float | None = None,
    diameter_mm: float | None = None,
    second_diameter_mm: float | None = None,
    single_over_5cm_is_b: bool = False,
) -> Stage:
    """Return the BCLC stage.

    In order of precedence: D performance status 3-4 or end-stage liver function; C macrovascular invasion,
    extrahepatic spread or performance status 1-2; 0 single, up to 2 cm; A single, or two or three up to 3 cm;
    B any other.

    Parameters
    ----------
    ecog_ps : float or None
        ECOG performance status, 0 to 4.
    child_pugh : {'A', 'B', 'C'} or None
        C stands for end-stage liver function.
    vascular_invasion : {'present', 'absent'} or None
        Macrovascular, on imaging.
    extrahepatic_spread : {'present', 'absent'} or None
        To lymph nodes or distant.
    tumour_number : float or None
        How many tumours.
    diameter_mm, second_diameter_mm : float or None
        Largest and second largest tumour; the second only to find contradictions.
    single_over_5cm_is_b : bool
        Whether a single tumour over 5 cm is B, as many centres hold; the 2022 text leaves it in A.

    Returns
    -------
    Stage
        An impossible input never has a stage. A missing one has none unless the stage is the same whatever it
        is: D by performance status 3-4 with all else missing; C by any one criterion once D is excluded; B
        with four tumours of any size.

    References
    ----------
    Reig M et al., J Hepatol 2022;76:681, doi:10.1016/j.jhep.2021.11.018.
    """
    values: dict[str, Value] = {
        "ecog_ps": ecog_ps,
        "child_pugh": child_pugh,
        "vascular_invasion": vascular_invasion,
        "extrahepatic_spread": extrahepatic_spread,
        "tumour_number": tumour_number,
        "diameter_mm": diameter_mm,
        "second_diameter_mm": second_diameter_mm,
    }
    reason = impossible_burden(BCLC_INPUTS, values)
    if reason is not None:
        return Stage(None, None, reason)
    single, few = at_most(tumour_number, 1), at_most(tumour_number, 3)
    largest_single_in_a = 50.0 if single_over_5cm_is_b else math.inf
    spread = some(is_level(vascular_invasion, "present"), is_level(extrahepatic_spread, "present"))
    burden = ("tumour_number", "diameter_mm")
    rules = (
        Rule("D", some(exceeds(ecog_ps, 2), is_level(child_pugh, "C")), ("ecog_ps", "child_pugh")),
        Rule("C", some(spread, exceeds(ecog_ps, 0)), ("ecog_ps", "vascular_invasion", "extrahepatic_spread")),
        Rule("0", every(single, at_most(diameter_mm, 20)), burden),
        Rule(
            "A",
            some(every(single, at_most(diameter_mm, largest_single_in_a)), every(few, at_most(diameter_mm, 30))),
            burden,
        ),
        Rule("B", True),
    )
    return first_that_holds(rules, BCLC_STAGES, values)


def bclc_comparator(single_over_5cm_is_b: bool = False) -> Comparator:
    """Return the BCLC staging with its switch set."""
    return Comparator(
        name="bclc",
        title="Barcelona Clinic Liver Cancer stage, 2022",
        citation="Reig M et al., J Hepatol 2022;76:681-693",
        doi="10.1016/j.jhep.2021.11.018",
        kind="stage",
        inputs=BCLC_INPUTS,
        judge=partial(bclc, single_over_5cm_is_b=single_over_5cm_is_b),
        grades=BCLC_STAGES,
        assumptions=(
            "Child-Pugh class C is end-stage liver function, A and B are preserved liver function",
            f"a single tumour over 5 cm is {'B' if single_over_5cm_is_b else 'A'}",
        ),
    )


BCLC = bclc_comparator()
