"""The clinical T category of hepatocellular carcinoma, AJCC 8th edition."""

from __future__ import annotations

from types import MappingProxyType

from zoo.staging.description import Comparator
from zoo.staging.inputs import Value
from zoo.staging.logic import Rule, at_most, every, first_that_holds, is_level, some
from zoo.staging.results import Stage
from zoo.staging.tumour import BURDEN, PRESENCE, impossible_burden

__all__ = ["TNM", "TNM_INPUTS", "T_CATEGORIES", "t_category"]

T_CATEGORIES = ("T1a", "T1b", "T2", "T3", "T4")
TNM_INPUTS = MappingProxyType({"major_branch_invasion": PRESENCE, "vascular_invasion": PRESENCE, **BURDEN})


def t_category(
    *,
    major_branch_invasion: str | None = None,
    vascular_invasion: str | None = None,
    tumour_number: float | None = None,
    diameter_mm: float | None = None,
    second_diameter_mm: float | None = None,
) -> Stage:
    """Return the clinical T category.

    In order of precedence: T4 a major branch of the portal or a hepatic vein is involved; T1a single, up to
    2 cm; T1b single, over 2 cm, no vascular invasion; T2 single over 2 cm with vascular invasion, or multiple
    up to 5 cm; T3 multiple, one over 5 cm.

    Parameters
    ----------
    major_branch_invasion : {'present', 'absent'} or None
        Of the portal vein or a hepatic vein. Absent where there is no vascular invasion at all.
    vascular_invasion : {'present', 'absent'} or None
        Any, on imaging.
    tumour_number : float or None
        How many tumours.
    diameter_mm, second_diameter_mm : float or None
        Largest and second largest tumour; the second only to find contradictions.

    Returns
    -------
    Stage
        An impossible input never has a stage. A missing one has none unless the category is the same whatever
        it is: T4 by the major branch alone; T1a and multiple tumours without knowledge of lesser invasion.

    Notes
    -----
    N and M are not read: without nodes and metastases (N0 M0, as before a curative resection) T1a, T1b, T2, T3
    and T4 are the stage groups IA, IB, II, IIIA and IIIB. Invasion of adjacent organs and perforation of the
    visceral peritoneum, T4 too, are taken as absent.

    References
    ----------
    AJCC Cancer Staging Manual, 8th edition, chapter Liver; Amin MB et al., CA Cancer J Clin 2017;67:93,
    doi:10.3322/caac.21388.
    """
    values: dict[str, Value] = {
        "major_branch_invasion": major_branch_invasion,
        "vascular_invasion": vascular_invasion,
        "tumour_number": tumour_number,
        "diameter_mm": diameter_mm,
        "second_diameter_mm": second_diameter_mm,
    }
    reason = impossible_burden(TNM_INPUTS, values)
    if reason is None and (major_branch_invasion, vascular_invasion) == ("present", "absent"):
        reason = "major_branch_invasion is impossible: present, although vascular_invasion is absent"
    if reason is not None:
        return Stage(None, None, reason)
    single = at_most(tumour_number, 1)
    # Without any vascular invasion there is none of a major branch, told or not.
    major = every(is_level(major_branch_invasion, "present"), is_level(vascular_invasion or "present", "present"))
    burden = ("tumour_number", "diameter_mm")
    rules = (
        Rule("T4", major, ("major_branch_invasion", "vascular_invasion")),
        Rule("T1a", every(single, at_most(diameter_mm, 20)), burden),
        Rule("T1b", every(single, is_level(vascular_invasion, "absent")), ("tumour_number", "vascular_invasion")),
        Rule("T2", some(single, at_most(diameter_mm, 50)), burden),
        Rule("T3", True),
    )
    return first_that_holds(rules, T_CATEGORIES, values)


TNM = Comparator(
    name="tnm",
    title="Clinical T category, AJCC 8th edition",
    citation="AJCC Cancer Staging Manual, 8th edition; Amin MB et al., CA Cancer J Clin 2017;67:93-99",
    doi="10.3322/caac.21388",
    kind="stage",
    inputs=TNM_INPUTS,
    judge=t_category,
    grades=T_CATEGORIES,
    assumptions=(
        "N0 M0: nodes and metastases are not read",
        "no invasion of adjacent organs and no perforation of the visceral peritoneum",
    ),
)
