"""What was compared and what was found, in words."""

from __future__ import annotations

from flows.monitor.report import Compared, DriftReport
from flows.pages.words import plural
from schemas.foreign_text import one_line
from zoo.drift.features import FeaturesDrift
from zoo.drift.labels import CalibrationDrift, Estimate, OutcomeDrift
from zoo.drift.scores import ScoreDrift

__all__ = ["comparison_text", "comparison_title", "verdict"]


def comparison_title(each: Compared) -> str:
    """Return what is compared with what: ``features, validation (33 patients) against training (132 patients)``."""
    return one_line(
        f"{each.what}, {each.current} ({plural(each.current_patients, 'patient')}) against {each.reference} "
        f"({plural(each.reference_patients, 'patient')})"
    )


def comparison_text(each: Compared, report: DriftReport) -> str:
    """Return what a comparison found, in a sentence.

    Parameters
    ----------
    each : Compared
        One of the report's.
    report : DriftReport
        Its rules tell what is called drift.
    """
    result, rules = each.result, report.rules
    if result is None:
        return f"not compared, {each.reason}"
    if isinstance(result, FeaturesDrift):
        return (
            f"{len(each.drifting):,} of {len(result.features):,} features drift (p <= {rules.alpha:g} and PSI >= "
            f"{rules.least_psi:g}; PSI is {result.chance_psi:.2g} on average where nothing drifts); "
            f"a classifier tells them apart with AUC {result.auc:.3f}, p {result.auc_p:.2g}"
        )
    if isinstance(result, OutcomeDrift):
        return (
            f"label 1 in {_percent(result.current_rate)}, {result.current_events} of {result.current_labelled}, "
            f"against {_percent(result.reference_rate)}, {result.reference_events} of {result.reference_labelled}; "
            f"p {result.p:.2g}"
        )
    if isinstance(result, ScoreDrift):
        return (
            f"mean {result.current_mean:.3f} against {result.reference_mean:.3f}, KS {result.ks:.3f}, "
            f"PSI {result.psi:.2g}, p {result.p:.2g}"
        )
    return _calibration(result)


def verdict(report: DriftReport) -> str:
    """Return what drifts, or that nothing does, and by how many tests that was told."""
    adjusted = f"p adjusted for {plural(report.tests, 'test')}, of {report.draws:,} exchanges of patients"
    if not report.compared:
        return "nothing is compared"
    if not report.tests:
        return "nothing is compared: no two groups have patients enough"
    if not report.findings:
        return f"no drift at the level {report.rules.alpha:g} ({adjusted})"
    found = [
        f"{one_line(each.current)} against {one_line(each.reference)}: {', '.join(each.findings)}"
        for each in report.compared
        if each.findings
    ]
    return f"drift: {'; '.join(found)} ({adjusted})"


def _calibration(result: CalibrationDrift) -> str:
    parts = []
    for what, new, old, p in (
        ("in the large", result.current_intercept, result.reference_intercept, result.intercept_p),
        ("slope", result.current_slope, result.reference_slope, result.slope_p),
    ):
        if new is not None and old is not None and p is not None:
            parts.append(f"{what} {_number(new)} against {_number(old)}, p {p:.2g}")
    return "; ".join([*parts, *([result.reason] if result.reason else [])])


def _number(value: Estimate) -> str:
    return f"{value.value:.2f} ({value.lower:.2f} to {value.upper:.2f})"


def _percent(rate: Estimate) -> str:
    return f"{100 * rate.value:.1f} % ({100 * rate.lower:.1f} to {100 * rate.upper:.1f})"
