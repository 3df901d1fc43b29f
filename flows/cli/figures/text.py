"""What a benchmark found, as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.cli.outcome import table_text
from schemas.results import ControlRow, LeaderboardRow, OptimismRow

# A benchmark is imported where it is made: --help needs no library of learning.
if TYPE_CHECKING:
    from flows.bench.run import BenchReport

__all__ = ["bench_text", "leaderboard_text"]


def leaderboard_text(found: BenchReport) -> str:
    """Return a benchmark as people read it: intervals behind the AUC, rates to three digits."""
    rows = [
        {
            "model": row.model,
            "cohort": row.cohort,
            "n": f"{row.n} ({row.events} events)",
            "AUC (95 % CI)": _area(row.auc, row.auc_lo, row.auc_hi),
            "plain DeLong": _bounds(row.auc_delong_lo, row.auc_delong_hi),
            "sens": _rate(row.sensitivity),
            "spec": _rate(row.specificity),
            "PPV": _rate(row.ppv),
            "NPV": _rate(row.npv),
            "Brier": f"{row.brier:.3f}",
        }
        for row in found.leaderboard
    ]
    return table_text(rows, list(rows[0])) if rows else "no model was judged"


def bench_text(found: BenchReport) -> str:
    """Return a benchmark as people read it: the leaderboard, and how often held-out cohorts were opened."""
    opened = [
        f"validation cohort of split {split}: model versions judged on it so far: {count}"
        for split, count in sorted(found.times_opened.items())
    ]
    parts = [_optimism_text(found.optimism) if found.suite == "bootstrap" else leaderboard_text(found)]
    if reasons := _missing_figures(found.leaderboard):
        parts.append("\n".join(reasons))
    if found.controls:
        parts.append(_controls_text(found.controls))
    parts += [*found.notes, _left_out_text(found)]
    if found.failures:
        parts.append("\n".join(f"failed: {reason}" for reason in found.failures.values()) + f"\n{_next(found)}")
    if opened:
        parts.append("\n".join(opened))
    return "\n\n".join(part for part in parts if part)


def _optimism_text(found: Sequence[OptimismRow]) -> str:
    """Return each model's figures on its training patients, less their optimism, and why some are missing."""
    if not found:
        return "no model was judged"
    names = {"auc": "AUC", "calibration_slope": "slope", "brier": "Brier"}
    rows = [
        {
            "model": row.model,
            "n": f"{row.n} ({row.events} events)",
            "figure": names[row.figure],
            "apparent": _rate(row.apparent),
            "optimism": "" if row.optimism is None else f"{row.optimism:+.3f}",
            "corrected": _rate(row.corrected) or "-",
            "left out": _rate(row.left_out),
            "error of drawing": "" if row.monte_carlo_error is None else f"{row.monte_carlo_error:.4f}",
            "resamples": row.with_figure,
        }
        for row in found
    ]
    lines = [f"{row.model}, {names[row.figure]}: no corrected figure: {row.reason}" for row in found if row.reason]
    note = (
        "apparent: on the training patients; corrected: apparent less optimism, what to expect on other patients of "
        "the same kind. It has no interval: the error of drawing is that of the resamples alone\n"
        "left out: on training patients who were not drawn, by fits to fewer patients; where corrected is much better, "
        "the model knows its patients by heart and corrected flatters: take --suite nested-cv"
    )
    return "\n".join([table_text(rows, list(rows[0])), *lines, note])


def _controls_text(found: Sequence[ControlRow]) -> str:
    rows = [
        {
            "negative control": row.control.replace("_", " "),
            "model": row.model,
            "cohort": row.cohort,
            "n": f"{row.n} ({row.events} events)",
            "AUC (95 % CI)": _area(row.auc, row.auc_lo, row.auc_hi),
            ".5 lies in it": {None: "no interval", True: "yes", False: "NO"}[row.holds_chance],
        }
        for row in found
    ]
    note = (
        ""
        if all(row.control == "permuted_labels" for row in found)
        else (
            "\nsize and the histogram of intensities survive shuffling: what they predict is no fault of the procedure"
        )
    )
    return table_text(rows, list(rows[0])) + note


def _missing_figures(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Return why cohorts have no AUC or no interval, a line for each cohort that has none."""
    found: dict[str, list[str]] = {}
    for row in rows:
        counts = f"{row.events} with label 1 and {row.n - row.events} with label 0"
        if row.auc is None:
            of_both = "" if row.suite == "holdout" else " held out together"
            reason = f"no AUC: it needs patients of both labels{of_both}, there are {counts}"
        elif row.auc_lo is None:
            reason = f"no interval and no test of the AUC: they need two patients of each label, there are {counts}"
        else:
            continue
        found.setdefault(f"{row.cohort} cohort: {reason}", []).append(row.model)
    return [f"{reason} ({', '.join(models)})" for reason, models in found.items()]


def _left_out_text(found: BenchReport) -> str:
    """Return whom models left out and why, models that left out the same patients on one line."""
    reports = [each for each in found.trained if each.version is not None and each.model not in found.failures]
    groups: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for each in reports:
        groups.setdefault(tuple((row.reason, row.patients) for row in each.left_out), []).append(each.model)
    lines = []
    if groups and not any(groups):
        return f"no patient was left out: each model that was judged reads all {reports[0].patients}"
    for counts, models in groups.items():
        named = "every model" if len(groups) == 1 else ", ".join(models)
        total = sum(patients for _, patients in counts)
        reasons = "; ".join(f"{patients}: {reason}" for reason, patients in counts)
        lines.append(f"patients left out by {named}: {total}{f' ({reasons})' if counts else ''}")
    return "\n".join(lines)


def _next(found: BenchReport) -> str:
    hints = dict.fromkeys(each.hint for each in found.trained if each.hint is not None)
    query = f"select model, reason from failures where study = '{found.study}' and model is not null"
    return "\n".join(f"next: {hint}" for hint in (*hints, f'radzoo sql "{query}" shows them again'))


def _area(area: float | None, lower: float | None, upper: float | None) -> str:
    if area is None:
        return "-"
    return f"{area:.3f}" if lower is None or upper is None else f"{area:.3f} ({lower:.3f}-{upper:.3f})"


def _bounds(lower: float | None, upper: float | None) -> str:
    return "-" if lower is None or upper is None else f"{lower:.3f}-{upper:.3f}"


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
