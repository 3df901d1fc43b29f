"""The preoperative ERASL score (early recurrence after surgery for liver tumour)."""

from __future__ import annotations

import math
from functools import partial
from types import MappingProxyType

from zoo.staging.albi import ALBI_INPUTS, albi
from zoo.staging.description import Comparator
from zoo.staging.inputs import Category, impossible, missing
from zoo.staging.results import Score
from zoo.staging.tumour import AFP, BURDEN

__all__ = ["AFP_FLOOR_UG_L", "ERASL_INPUTS", "ERASL_PRE", "erasl_group", "erasl_pre", "erasl_pre_with_floor"]

AFP_FLOOR_UG_L = 0.605
"""0.5 IU/mL, where the measuring range of a common assay (Elecsys AFP) begins; a laboratory has its own."""

ERASL_INPUTS = MappingProxyType(
    {
        "sex": Category(("female", "male")),
        **ALBI_INPUTS,
        "afp": AFP,
        "diameter_mm": BURDEN["diameter_mm"],
        "tumour_number": BURDEN["tumour_number"],
    }
)

_LOW_AT_MOST = 2.558
_INTERMEDIATE_AT_MOST = 3.521


def erasl_group(score: float) -> str:
    """Return the risk group of an ERASL-pre score: 'low' up to 2.558, 'intermediate' up to 3.521, else 'high'."""
    if score <= _LOW_AT_MOST:
        return "low"
    return "intermediate" if score <= _INTERMEDIATE_AT_MOST else "high"


def erasl_pre(
    *,
    sex: str | None = None,
    tbil: float | None = None,
    alb: float | None = None,
    afp: float | None = None,
    diameter_mm: float | None = None,
    tumour_number: float | None = None,
    afp_floor_ug_l: float = AFP_FLOOR_UG_L,
) -> Score:
    r"""Return the ERASL-pre score with its risk group.

    .. math:: 0.818 \text{ male} + 0.447\,[\text{ALBI grade} > 1] + 0.100 \ln \text{AFP}
              + 0.580 \ln \text{size} + 0.492 \text{ number}

    with AFP in ug/L, the size in cm, and the number coded 0 (single), 1 (two or three), 2 (four or more).

    Parameters
    ----------
    sex : {'female', 'male'} or None
    tbil : float or None
        Total bilirubin in umol/L.
    alb : float or None
        Albumin in g/L.
    afp : float or None
        Alpha-fetoprotein in ug/L. Zero has no logarithm and means below detection: values below the floor are
        raised to it, and a note says so.
    diameter_mm : float or None
        Largest tumour.
    tumour_number : float or None
        How many tumours.
    afp_floor_ug_l : float
        The lowest AFP that the assay reports, above 0.

    Raises
    ------
    ValueError
        If the floor is not above 0, or no number.

    References
    ----------
    Chan AWH et al., J Hepatol 2018;69:1284, doi:10.1016/j.jhep.2018.08.027.
    """
    _refuse_impossible_floor(afp_floor_ug_l)
    values = {
        "sex": sex,
        "tbil": tbil,
        "alb": alb,
        "afp": afp,
        "diameter_mm": diameter_mm,
        "tumour_number": tumour_number,
    }
    reason = impossible(ERASL_INPUTS, values) or missing(values)
    liver = albi(tbil=tbil, alb=alb)
    if afp is None or diameter_mm is None or tumour_number is None or reason is not None:
        return Score(None, None, reason)
    notes: tuple[str, ...] = ()
    if afp < afp_floor_ug_l:
        notes = (f"afp {afp:g} ug/L was raised to the assay's floor, {afp_floor_ug_l:g} ug/L",)
    number = 0 if tumour_number == 1 else 1 if tumour_number <= 3 else 2
    value = (
        0.818 * (sex == "male")
        + 0.447 * (liver.grade != "1")
        + 0.100 * math.log(max(afp, afp_floor_ug_l))
        + 0.580 * math.log(diameter_mm / 10)
        + 0.492 * number
    )
    return Score(value, erasl_group(value), None, notes)


def erasl_pre_with_floor(afp_floor_ug_l: float) -> Comparator:
    """Return ERASL-pre for an assay that reports AFP from ``afp_floor_ug_l`` on.

    Raises
    ------
    ValueError
        If the floor is not above 0, or no number.
    """
    _refuse_impossible_floor(afp_floor_ug_l)
    return Comparator(
        name="erasl_pre",
        title="ERASL-pre: early recurrence after surgery for liver tumour, preoperative model",
        citation="Chan AWH et al., J Hepatol 2018;69:1284-1293",
        doi="10.1016/j.jhep.2018.08.027",
        kind="score",
        inputs=ERASL_INPUTS,
        judge=partial(erasl_pre, afp_floor_ug_l=afp_floor_ug_l),
        grades=("low", "intermediate", "high"),
        assumptions=(
            f"AFP below {afp_floor_ug_l:g} ug/L counts as {afp_floor_ug_l:g} ug/L",
            "1 IU/mL of AFP is 1.21 ug/L",
        ),
    )


def _refuse_impossible_floor(afp_floor_ug_l: float) -> None:
    if not 0 < afp_floor_ug_l < math.inf:
        raise ValueError(f"the assay's floor must be above 0 ug/L and finite, got {afp_floor_ug_l!r}")


ERASL_PRE = erasl_pre_with_floor(AFP_FLOOR_UG_L)
