"""The albumin-bilirubin (ALBI) score and grade."""

from __future__ import annotations

import math
from types import MappingProxyType

from zoo.staging.description import Comparator
from zoo.staging.inputs import Quantity, impossible, missing
from zoo.staging.results import Score

__all__ = ["ALBI", "ALBI_INPUTS", "UMOL_L_PER_MG_DL_BILIRUBIN", "albi", "albi_grade"]

UMOL_L_PER_MG_DL_BILIRUBIN = 17.104
"""From bilirubin's molar mass, 584.66 g/mol."""

ALBI_INPUTS = MappingProxyType(
    {
        "tbil": Quantity(
            "umol/L",
            is_least_possible=False,
            factors=(("mg/dL", UMOL_L_PER_MG_DL_BILIRUBIN),),
        ),
        "alb": Quantity("g/L", is_least_possible=False),
    }
)

_GRADE_1_AT_MOST = -2.60
_GRADE_2_AT_MOST = -1.39


def albi_grade(score: float) -> str:
    """Return the grade of an ALBI score: '1' up to -2.60, '2' up to -1.39, else '3'."""
    if score <= _GRADE_1_AT_MOST:
        return "1"
    return "2" if score <= _GRADE_2_AT_MOST else "3"


def albi(*, tbil: float | None = None, alb: float | None = None) -> Score:
    r"""Return the ALBI score :math:`0.66 \log_{10} \text{bilirubin} - 0.085\, \text{albumin}` with its grade.

    Parameters
    ----------
    tbil : float or None
        Total bilirubin in umol/L.
    alb : float or None
        Albumin in g/L.

    References
    ----------
    Johnson PJ et al., J Clin Oncol 2015;33:550, doi:10.1200/JCO.2014.57.9151.
    """
    values = {"tbil": tbil, "alb": alb}
    reason = impossible(ALBI_INPUTS, values) or missing(values)
    if tbil is None or alb is None or reason is not None:
        return Score(None, None, reason)
    value = 0.66 * math.log10(tbil) - 0.085 * alb
    return Score(value, albi_grade(value), None)


ALBI = Comparator(
    name="albi",
    title="Albumin-bilirubin (ALBI) score",
    citation="Johnson PJ et al., J Clin Oncol 2015;33:550-558",
    doi="10.1200/JCO.2014.57.9151",
    kind="score",
    inputs=ALBI_INPUTS,
    judge=albi,
    grades=("1", "2", "3"),
)
