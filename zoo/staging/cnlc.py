"""The China liver cancer (CNLC) staging."""

from __future__ import annotations

from types import MappingProxyType

from zoo.staging.description import Comparator
from zoo.staging.inputs import Value
from zoo.staging.logic import Rule, at_most, every, exceeds, first_that_holds, is_level, some
from zoo.staging.results import Stage
from zoo.staging.tumour import BURDEN, CONDITION, PRESENCE, impossible_burden

__all__ = ["CNLC", "CNLC_INPUTS", "CNLC_STAGES", "cnlc"]

CNLC_STAGES = ("Ia", "Ib", "IIa", "IIb", "IIIa", "IIIb", "IV")
CNLC_INPUTS = MappingProxyType({**CONDITION, "vascular_invasion": PRESENCE, "extrahepatic_spread": PRESENCE, **BURDEN})


def cnlc(
    *,
    ecog_ps: float | None = None,
    child_pugh: str | None = None,
    vascular_invasion: str | None = None,
    extrahepatic_spread: str | None = None,
    tumour_number: float | None = None,
    diameter_mm: float | None = None,
    second_diameter_mm: float | None = None,
) -> Stage:
    """Return the CNLC stage.

    In order of precedence: IV performance status 3-4 or Child-Pugh C; IIIb extrahepatic spread; IIIa vascular
    invasion; Ia single, up to 5 cm; Ib single over 5 cm, or two or three up to 3 cm; IIa two or three, one over
    3 cm; IIb four or more.

    Parameters
    ----------
    ecog_ps : float or None
        ECOG performance status, 0 to 4.
    child_pugh : {'A', 'B', 'C'} or None
    vascular_invasion : {'present', 'absent'} or None
        Macrovascular, on imaging.
    extrahepatic_spread : {'present', 'absent'} or None
        To lymph nodes or distant.
    tumour_number : float or None
        How many tumours.
    diameter_mm, second_diameter_mm : float or None
        Largest and second largest tumour; the second only to find contradictions.

    Returns
    -------
    Stage
        An impossible input never has a stage. A missing one has none unless the stage is the same whatever it
        is: IV by one criterion; IIIb with vascular invasion or burden missing; IIb with four tumours of any
        size.

    References
    ----------
    Zhou J et al., Liver Cancer 2023;12:405, doi:10.1159/000530495.
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
    reason = impossible_burden(CNLC_INPUTS, values)
    if reason is not None:
        return Stage(None, None, reason)
    single, few = at_most(tumour_number, 1), at_most(tumour_number, 3)
    burden = ("tumour_number", "diameter_mm")
    rules = (
        Rule("IV", some(exceeds(ecog_ps, 2), is_level(child_pugh, "C")), ("ecog_ps", "child_pugh")),
        Rule("IIIb", is_level(extrahepatic_spread, "present"), ("extrahepatic_spread",)),
        Rule("IIIa", is_level(vascular_invasion, "present"), ("vascular_invasion",)),
        Rule("Ia", every(single, at_most(diameter_mm, 50)), burden),
        Rule("Ib", some(single, every(few, at_most(diameter_mm, 30))), burden),
        Rule("IIa", few, burden),
        Rule("IIb", True),
    )
    return first_that_holds(rules, CNLC_STAGES, values)


CNLC = Comparator(
    name="cnlc",
    title="China liver cancer stage",
    citation="Zhou J et al., Liver Cancer 2023;12:405-444",
    doi="10.1159/000530495",
    kind="stage",
    inputs=CNLC_INPUTS,
    judge=cnlc,
    grades=CNLC_STAGES,
)
