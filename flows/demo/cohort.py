"""Individuals that the published HCC cohort could have had: 165 patients with exactly its counts.

No patient here is real. Dichotomised at the study's cut points, the individuals give its table of counts in
each of the four groups and its joint table of AST and diameter, and therefore its univariable odds ratios,
its multivariable model and that model's areas under the curve. What the study does not print is invented, and
declared here:

- which of the training patients with AFP > 400 IU/mL have a large tumour or a high AST (`_TRAINING_AFP`):
  more of them do, so that AFP, associated with early recurrence by itself, adds nothing beside the two (Wald
  p > .1) and backward elimination at p < .05 ends at AST and diameter, as in the study;
- the shape of every distribution and its correlations (`GradedCurve`, `mixed_latent`), medically usual ones;
- the inputs of the stagings and blood-count ratios, drawn without regard to recurrence.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from flows.demo.laboratory import Floats, GradedCurve, Mask, mixed_latent, most_extreme, normal_scores
from flows.demo.published import (
    EXCLUDED_PATIENTS,
    FIELD_STRENGTH_PATIENTS,
    GROUPS,
    HORIZON_MONTHS,
    MRI_WINDOW_DAYS,
    REREAD_PATIENTS,
    Group,
    factor_named,
)

__all__ = ["COHORT_SEED", "INCLUDED", "published_cohort", "reread_patients", "with_excluded"]

COHORT_SEED = 20240165
INCLUDED = "included"
_REREAD_SEED = 30

_CURVES = {
    "afp": GradedCurve(cut=400.0, spread=2.6, decimals=1, low=0.9),
    "alt": GradedCurve(cut=50.0, spread=0.55, decimals=0, low=5.0),
    "ast": GradedCurve(cut=40.0, spread=0.55, decimals=0, low=8.0),
    "ggt": GradedCurve(cut=60.0, spread=0.75, decimals=0, low=8.0),
    "tbil": GradedCurve(cut=19.0, spread=0.45, decimals=1, low=2.0),
    "alb": GradedCurve(cut=40.0, spread=4.2, decimals=1),
    # The study excludes lesions under 10 mm; 19 mm is the least that a half-size phantom shows on three
    # slices.
    "diameter_mm": GradedCurve(cut=50.0, spread=0.95, decimals=0, low=18.5, high=100.0),
}

# AFP > 400 IU/mL in the cells of AST > 40 U/L by diameter > 5 cm: both, AST only, diameter only, neither.
_TRAINING_AFP = {True: (6, 5, 6, 4), False: (2, 1, 2, 1)}

# The printed p of age in training is that of a rank test; the means alone (58.35, 58.38) would give .99.
# Opposite skewness of the two groups shifts their ranks and leaves mean and standard deviation as printed.
_AGE_SKEW = {True: 0.375, False: -0.375}

_FIRST_RESECTION = date(2016, 1, 11)
_RESECTION_SPAN_DAYS = 1600


def _ages(rng: np.random.Generator, group: Group) -> Floats:
    """Return ages in years, to two decimals, with the printed mean and standard deviation."""
    n = group.patients
    # The outer hundredths of the distribution are left out: few are resected so young or so old.
    normal = ndtri(0.01 + 0.98 * (np.arange(n) + rng.uniform(0.35, 0.65, n)) / n)
    skewed = np.sinh(np.arcsinh(normal) + _AGE_SKEW[group.early_recurrence])
    standard = (skewed - skewed.mean()) / skewed.std(ddof=1)
    return np.round(group.age_mean + group.age_sd * rng.permutation(standard), 2)


def _cells(rng: np.random.Generator, group: Group) -> NDArray[np.int64]:
    """Return each patient's cell of AST by diameter: 0 both, 1 AST only, 2 diameter only, 3 neither."""
    return rng.permutation(np.repeat(np.arange(4), group.ast_by_diameter))


def _afp_positive(group: Group, cells: NDArray[np.int64], latent: Floats, count: int) -> Mask:
    if group.cohort != "training":
        return most_extreme(latent, count)
    positive = np.zeros(group.patients, dtype=np.bool_)
    for cell, of_cell in enumerate(_TRAINING_AFP[group.early_recurrence]):
        members = np.flatnonzero(cells == cell)
        positive[members[most_extreme(latent[members], of_cell)]] = True
    return positive


def _clinical_columns(rng: np.random.Generator, group: Group, index: int) -> dict[str, Floats | list[str]]:
    """Return every clinical column of one group; `index` is its place in the published counts."""
    columns: dict[str, Floats | list[str]] = {"age": _ages(rng, group)}
    scores: dict[str, Floats] = {}

    def measured(column: str, latent: Floats, positive: Mask | None = None) -> None:
        counts = factor_named(column).counts
        share = sum(counts) / sum(each.patients for each in GROUPS)
        above = most_extreme(latent, counts[index]) if positive is None else positive
        scores[column] = normal_scores(rng, latent, above, share)
        columns[column] = _CURVES[column].values(scores[column], share)

    def worded(column: str, weighted: list[tuple[float, Floats]]) -> None:
        factor = factor_named(column)
        positive = most_extreme(mixed_latent(rng, weighted), factor.counts[index])
        columns[column] = [str(factor.level if is_positive else factor.other) for is_positive in positive]
        scores[column] = np.where(positive, 1.0, -1.0)

    unrelated = np.zeros(group.patients)
    cells = _cells(rng, group)
    worded("sex", [(0.0, unrelated)])
    worded("hepatitis", [(0.0, unrelated)])
    worded("cirrhosis", [(0.4, scores["hepatitis"])])
    measured("ast", mixed_latent(rng, [(0.2, scores["cirrhosis"])]), cells <= 1)
    measured("diameter_mm", rng.standard_normal(group.patients), (cells == 0) | (cells == 2))
    measured("alt", mixed_latent(rng, [(0.75, scores["ast"])]))
    measured("ggt", mixed_latent(rng, [(0.45, scores["ast"]), (0.25, scores["diameter_mm"])]))
    measured("tbil", mixed_latent(rng, [(0.3, scores["ast"]), (0.25, scores["cirrhosis"])]))
    measured("alb", mixed_latent(rng, [(-0.3, scores["tbil"]), (-0.3, scores["cirrhosis"])]))
    worded("child_pugh", [(-0.7, scores["alb"]), (0.5, scores["tbil"])])
    latent_afp = mixed_latent(rng, [(0.45, scores["diameter_mm"]), (0.15, scores["ast"])])
    measured("afp", latent_afp, _afp_positive(group, cells, latent_afp, factor_named("afp").counts[index]))
    for column, weight in (
        ("margin", 0.3),
        ("necrosis", 0.55),
        ("haemorrhage", 0.4),
        ("capsule", 0.1),
        ("peritumoral_enhancement", 0.3),
    ):
        worded(column, [(weight, scores["diameter_mm"])])
    return columns | _nodules(rng, group, index) | _staging_columns(rng, scores)


def _nodules(rng: np.random.Generator, group: Group, index: int) -> dict[str, Floats | list[str]]:
    """Return the number of tumours: one, or for the multifocal mostly two."""
    multifocal = most_extreme(rng.standard_normal(group.patients), factor_named("tumour_number").counts[index])
    further = rng.choice([2.0, 3.0, 4.0, 5.0], size=group.patients, p=[0.64, 0.22, 0.1, 0.04])
    return {"tumour_number": np.where(multifocal, further, 1.0)}


def _staging_columns(rng: np.random.Generator, scores: dict[str, Floats]) -> dict[str, Floats | list[str]]:
    """Return blood counts (10*9/L) and performance status of a group; none of them knows of recurrence."""
    n = len(scores["ast"])
    inflamed = rng.standard_normal(n)

    def counts(median: float, spread: float, weighted: list[tuple[float, Floats]], decimals: int) -> Floats:
        return np.round(median * np.exp(spread * mixed_latent(rng, weighted)), decimals)

    return {
        "neutrophils": counts(3.2, 0.33, [(0.6, inflamed)], 2),
        "lymphocytes": counts(1.55, 0.32, [(-0.25, inflamed)], 2),
        "monocytes": counts(0.40, 0.30, [(0.5, inflamed)], 2),
        "platelets": counts(155.0, 0.38, [(0.25, inflamed), (-0.35, scores["cirrhosis"])], 0),
        "ecog_ps": (rng.random(n) < 0.05).astype(np.float64),
    }


def _follow_up(rng: np.random.Generator, group: Group) -> dict[str, NDArray[np.int64] | Floats]:
    """Return event and time in months; without early recurrence, the event is late or never seen."""
    n = group.patients
    if group.early_recurrence:
        months = np.round(0.8 + (HORIZON_MONTHS - 1.0) * rng.beta(1.1, 1.5, n), 1)
        return {"recurrence": np.ones(n, dtype=np.int64), "recurrence_free_months": months}
    months = np.round(HORIZON_MONTHS + 0.3 + 48.0 * rng.beta(1.0, 1.6, n), 1)
    return {"recurrence": (rng.random(n) < 0.3).astype(np.int64), "recurrence_free_months": months}


def _with_examinations(rng: np.random.Generator, cohort: pl.DataFrame) -> pl.DataFrame:
    """Return the cohort with field strength, dates, second nodule and tumour spread."""
    n = cohort.height
    strengths = np.repeat(list(FIELD_STRENGTH_PATIENTS), list(FIELD_STRENGTH_PATIENTS.values()))
    resections = [_FIRST_RESECTION + timedelta(days=int(day)) for day in rng.integers(0, _RESECTION_SPAN_DAYS, n)]
    before = rng.integers(1, MRI_WINDOW_DAYS + 1, (n, 2))
    second = np.maximum(5, np.floor(cohort["diameter_mm"].to_numpy() * rng.uniform(0.3, 0.8, n)))
    # Curative resection: gross vascular invasion is the rare exception, here the largest AFP-rich tumours.
    burden = np.log(cohort["afp"].to_numpy()) / 3.0 + cohort["diameter_mm"].to_numpy() / 20.0
    return cohort.with_columns(
        field_strength_t=pl.Series(rng.permutation(strengths)),
        second_diameter_mm=pl.when(pl.col("tumour_number") > 1).then(pl.Series(second)),
        vascular_invasion=pl.Series(np.where(most_extreme(burden, 2), "present", "absent")),
        major_branch_invasion=pl.lit("absent"),
        extrahepatic_spread=pl.lit("absent"),
        mri_date=pl.Series(
            [(d - timedelta(days=int(b))).isoformat() for d, b in zip(resections, before[:, 0], strict=True)]
        ),
        lab_date=pl.Series(
            [(d - timedelta(days=int(b))).isoformat() for d, b in zip(resections, before[:, 1], strict=True)]
        ),
        resection_date=pl.Series([d.isoformat() for d in resections]),
    )


_COLUMN_ORDER = (
    *("patient", "cohort", "recurrence", "recurrence_free_months", "field_strength_t"),
    *("mri_date", "lab_date", "resection_date", "age", "sex", "hepatitis", "afp", "alt", "ast", "ggt"),
    *("tbil", "alb", "child_pugh", "diameter_mm", "second_diameter_mm", "tumour_number", "margin"),
    *("necrosis", "haemorrhage", "capsule", "peritumoral_enhancement", "cirrhosis", "neutrophils"),
    *("lymphocytes", "monocytes", "platelets", "ecog_ps", "vascular_invasion", "major_branch_invasion"),
    "extrahepatic_spread",
)


def published_cohort(seed: int = COHORT_SEED) -> pl.DataFrame:
    """Return 165 invented patients with exactly the published counts, one row a patient.

    The order of the rows, and with it the pseudonyms HCC-001 to HCC-165, is a random permutation and reveals
    neither cohort nor outcome. The same seed gives the same patients; any seed gives the same counts.

    Parameters
    ----------
    seed : int
        Seed of every draw.

    Returns
    -------
    polars.DataFrame
        Columns: patient, cohort (training, validation), recurrence (1 observed, 0 censored),
        recurrence_free_months (from resection to event or censoring; no patient is censored before 24
        months), field_strength_t (tesla), mri_date, lab_date and resection_date (ISO 8601), age (years), sex,
        hepatitis (B or C), afp (IU/mL), alt, ast and ggt (U/L), tbil (umol/L), alb (g/L), child_pugh,
        diameter_mm (largest tumour), second_diameter_mm (null for a single tumour), tumour_number, margin,
        necrosis, haemorrhage, capsule, peritumoral_enhancement, cirrhosis, neutrophils, lymphocytes,
        monocytes and platelets (10*9/L), ecog_ps, vascular_invasion, major_branch_invasion,
        extrahepatic_spread.
    """
    *group_seeds, whole_seed = np.random.SeedSequence(seed).spawn(len(GROUPS) + 1)
    groups = []
    for index, (group, group_seed) in enumerate(zip(GROUPS, group_seeds, strict=True)):
        rng = np.random.default_rng(group_seed)
        columns = _clinical_columns(rng, group, index) | _follow_up(rng, group)
        groups.append(pl.DataFrame(columns).with_columns(cohort=pl.lit(group.cohort)))
    rng = np.random.default_rng(whole_seed)
    together = pl.concat(groups)
    shuffled = together[rng.permutation(together.height)]
    numbered = shuffled.with_columns(
        patient=pl.Series([f"HCC-{number:03d}" for number in range(1, shuffled.height + 1)]),
        tumour_number=pl.col("tumour_number").cast(pl.Int64),
        ecog_ps=pl.col("ecog_ps").cast(pl.Int64),
    )
    return _with_examinations(rng, numbered).select(_COLUMN_ORDER)


def with_excluded(cohort: pl.DataFrame) -> pl.DataFrame:
    """Return the cohort with a column ``screening``, and the patients who were screened and excluded below it.

    Of these nothing is published but how many there are of each reason, and nothing else is said here. They are added
    to the whole cohort alone: beside a part of it their number would mean nothing.
    """
    included = cohort.with_columns(screening=pl.lit(INCLUDED))
    if cohort.height != sum(each.patients for each in GROUPS):
        return included
    reasons = [reason for reason, patients in EXCLUDED_PATIENTS.items() for _ in range(patients)]
    names = [f"HCC-{number:03d}" for number in range(cohort.height + 1, cohort.height + 1 + len(reasons))]
    return pl.concat([included, pl.DataFrame({"patient": names, "screening": reasons})], how="diagonal")


def reread_patients(cohort: pl.DataFrame) -> tuple[str, ...]:
    """Return the pseudonyms of the 30 training patients whose tumours are segmented again, in order.

    Validation patients are never among them: what readers disagree on decides which features are kept, and
    that decision belongs to training.
    """
    training = sorted(cohort.filter(pl.col("cohort") == "training")["patient"].to_list())
    chosen = np.random.default_rng(_REREAD_SEED).choice(len(training), size=REREAD_PATIENTS, replace=False)
    return tuple(training[position] for position in sorted(chosen))
