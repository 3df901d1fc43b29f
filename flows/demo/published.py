"""The published counts of the hepatocellular carcinoma (HCC) cohort, as data.

The study reports 165 patients in four groups: training and validation, each with and without early recurrence
(ER: a new intra- or extrahepatic lesion within 24 months of resection). For 17 categorical factors it prints
how many patients of each group are at the positive level, and for age the mean and standard deviation. The
joint counts of AST and tumour diameter are not printed; they are the only ones that the printed odds ratios,
coefficients and areas under the curve allow.

Individuals with exactly these counts are drawn in `flows.demo.cohort`.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

__all__ = [
    "EXCLUDED_PATIENTS",
    "FACTORS",
    "FIELD_STRENGTH_PATIENTS",
    "GROUPS",
    "HORIZON_MONTHS",
    "MRI_WINDOW_DAYS",
    "REREAD_PATIENTS",
    "Factor",
    "Group",
    "factor_named",
]

EXCLUDED_PATIENTS = {
    "missing clinical or imaging data": 5,
    "lesion < 10 mm": 3,
    "poor image quality": 4,
    "lost to follow-up within 2 years": 113,
}
"""Patients of the 290 screened who are not among the 165, by the first reason that the study's flow chart gives."""

HORIZON_MONTHS = 24.0
"""A recurrence up to this time after resection is early."""

MRI_WINDOW_DAYS = 14
"""The MRI examination lies at most this many days before the resection."""

FIELD_STRENGTH_PATIENTS = {1.5: 74, 3.0: 91}
"""Patients by field strength of the magnet, in tesla."""

REREAD_PATIENTS = 30
"""Tumours that were segmented again, by reader 1 (a second time) and by reader 2."""


@dataclass(frozen=True)
class Group:
    """One column of the published table: a cohort, with or without early recurrence.

    Parameters
    ----------
    cohort : str
        ``training`` or ``validation``.
    early_recurrence : bool
        Whether the patients of the group recurred within 24 months.
    patients : int
        Size of the group.
    age_mean, age_sd : float
        Printed mean and sample standard deviation of age, in years.
    ast_by_diameter : tuple of four int
        Patients with AST > 40 U/L and diameter > 5 cm, AST only, diameter only, neither.
    """

    cohort: str
    early_recurrence: bool
    patients: int
    age_mean: float
    age_sd: float
    ast_by_diameter: tuple[int, int, int, int]


GROUPS = (
    Group("training", True, 78, 58.35, 10.59, (15, 21, 15, 27)),
    Group("training", False, 54, 58.38, 10.60, (4, 9, 6, 35)),
    Group("validation", True, 18, 57.81, 10.84, (2, 2, 8, 6)),
    Group("validation", False, 15, 56.81, 10.26, (1, 2, 0, 12)),
)
"""The four groups, in the order in which every count below is given."""


@dataclass(frozen=True)
class Factor:
    """A clinical or radiological factor that the study counts at two levels.

    Parameters
    ----------
    column : str
        Column of the cohort that holds the raw value.
    counts : tuple of four int
        Patients at the positive level, in the order of `GROUPS`.
    level : str, optional
        Positive level of a factor that is recorded in words.
    other : str, optional
        The other level of that factor.
    cut : float, optional
        Cut point of a measured factor, in its own unit; a value above it is positive, one at it is not.
    """

    column: str
    counts: tuple[int, int, int, int]
    level: str | None = None
    other: str | None = None
    cut: float | None = None

    def positive(self) -> pl.Expr:
        """Return the expression that is true for the patients at the positive level."""
        if self.cut is not None:
            return pl.col(self.column) > self.cut
        return pl.col(self.column) == self.level


FACTORS = (
    Factor("sex", (68, 43, 15, 12), level="male", other="female"),
    Factor("hepatitis", (61, 40, 11, 10), level="yes", other="no"),
    Factor("afp", (21, 6, 3, 1), cut=400.0),
    Factor("alt", (26, 12, 5, 4), cut=50.0),
    Factor("ast", (36, 13, 4, 3), cut=40.0),
    Factor("ggt", (42, 20, 7, 7), cut=60.0),
    Factor("tbil", (25, 13, 4, 0), cut=19.0),
    Factor("alb", (49, 37, 14, 8), cut=40.0),
    Factor("child_pugh", (7, 5, 0, 0), level="B", other="A"),
    Factor("diameter_mm", (30, 10, 10, 1), cut=50.0),
    Factor("tumour_number", (12, 5, 4, 1), cut=1.0),
    Factor("margin", (34, 20, 8, 3), level="non-smooth", other="smooth"),
    Factor("necrosis", (30, 17, 8, 7), level="present", other="absent"),
    Factor("haemorrhage", (24, 11, 9, 2), level="present", other="absent"),
    Factor("capsule", (56, 44, 15, 11), level="present", other="absent"),
    Factor("peritumoral_enhancement", (25, 13, 5, 7), level="present", other="absent"),
    Factor("cirrhosis", (54, 35, 9, 8), level="present", other="absent"),
)
"""The 17 factors of the published table. Units: AFP IU/mL, ALT, AST and GGT U/L, TBIL umol/L, ALB g/L."""

_FACTOR_OF_COLUMN = {factor.column: factor for factor in FACTORS}


def factor_named(column: str) -> Factor:
    """Return the factor that is recorded in a column of the cohort.

    Raises
    ------
    KeyError
        If the study does not count that column.
    """
    return _FACTOR_OF_COLUMN[column]
