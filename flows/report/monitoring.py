"""What drifts in a study, as its file asks: computed when the report is made, since no verdict is stored."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flows.monitor.asked import DriftQuestion, answered, study_questions
from flows.monitor.report import Compared, DriftReport
from flows.monitor.rules import DriftRules
from flows.monitor.words import verdict
from flows.pages.words import EN_DASH, plural, readable_name
from schemas.errors import ContractError, NotFoundError
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.drift.features import FeatureDrift, FeaturesDrift
from zoo.drift.labels import CalibrationDrift, OutcomeDrift
from zoo.drift.scores import ScoreDrift

__all__ = ["DriftLine", "MonitoredPart", "drift_cautions", "monitored_parts"]

_SHOWN = 20  # features of a question


@dataclass(frozen=True)
class DriftLine:
    """One test of a question."""

    group: str
    """Who is compared with whom, and how many patients each."""
    what: str
    test: str
    found: str
    p: float | None
    """Adjusted for all tests of the question; None where nothing is compared."""
    psi: float | None = None
    is_drift: bool = False


@dataclass(frozen=True)
class MonitoredPart:
    """A question about drift and its answer."""

    by: str
    command: str
    """Gives the same answer, and every feature with ``--out``."""
    reason: str | None = None
    """Why there is no answer."""
    verdict: str = ""
    report: DriftReport | None = None
    lines: list[DriftLine] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    features: list[tuple[str, FeatureDrift]] = field(default_factory=list)
    """Those that drift most of all that drift, each with the group it drifts in."""
    drifting: int = 0
    """All that drift, of every group."""


def monitored_parts(store: Store, snapshot: Snapshot, study: Study) -> list[MonitoredPart]:
    """Return the answers to what a study asks about drift; none where its file has no ``[monitor]``.

    A question that cannot be answered, such as one about scanners where no header names any, is told with the reason:
    the report is of more than that.

    Parameters
    ----------
    store : Store
        The store.
    snapshot : Snapshot
        As of the commit that the report is of.
    study : Study
        As of the snapshot.
    """
    return [_part(store, question, snapshot.commit_id) for question in study_questions(snapshot, study)]


def drift_cautions(parts: Sequence[MonitoredPart]) -> list[str]:
    """Return what the head of the page says of drift: a sentence for each question that found any."""
    return [
        f"Compared by {readable_name(part.by)}, patients drift: {plural(len(found), 'finding')}, under Drift."
        for part in parts
        if (found := part.report.findings if part.report is not None else ())
    ]


def _part(store: Store, question: DriftQuestion, commit_id: int) -> MonitoredPart:
    words = shlex.join(["monitor", *question.options, "--as-of", str(commit_id)])
    command = f'radzoo --store "$STORE" {words}'
    try:
        found = answered(store, question, commit_id)
    except (NotFoundError, ContractError) as error:
        return MonitoredPart(question.by, command, reason=error.message)
    drifting = [(each.current, feature) for each in found.compared for feature in each.drifting]
    drifting.sort(key=lambda pair: (pair[1].p, -pair[1].ks))
    return MonitoredPart(
        question.by,
        command,
        verdict=verdict(found),
        report=found,
        lines=[line for each in found.compared for line in _lines(each, found.rules)],
        notes=[*found.notes, *question.notes],
        features=drifting[:_SHOWN],
        drifting=len(drifting),
    )


def _lines(each: Compared, rules: DriftRules) -> Iterator[DriftLine]:
    group = f"{each.current} ({each.current_patients}) against {each.reference} ({each.reference_patients})"
    result = each.result
    if result is None:
        yield DriftLine(group, each.what, EN_DASH, f"not compared, {each.reason}", None)
    elif isinstance(result, FeaturesDrift):
        worst = next(iter(result.features), None)
        yield DriftLine(
            group,
            "features, one by one",
            "Kolmogorov and Smirnov, by exchanging patients",
            f"{len(each.drifting):,} of {len(result.features):,} drift; "
            f"PSI {result.chance_psi:.2f} on average by chance",
            None if worst is None else worst.p,
            None if worst is None else worst.psi,
            bool(each.drifting),
        )
        yield DriftLine(
            group,
            "features, all together",
            "classifier, by exchanging patients",
            f"AUC {result.auc:.3f}",
            result.auc_p,
            is_drift=result.auc_p <= rules.alpha,
        )
    elif isinstance(result, OutcomeDrift):
        yield DriftLine(
            group,
            "rate of label 1",
            "Fisher's exact",
            f"{result.current_events} of {result.current_labelled} against "
            f"{result.reference_events} of {result.reference_labelled}",
            result.p,
            is_drift=result.p <= rules.alpha,
        )
    elif isinstance(result, ScoreDrift):
        yield DriftLine(
            group,
            "predictions",
            "Kolmogorov and Smirnov, by exchanging patients",
            f"mean {result.current_mean:.3f} against {result.reference_mean:.3f}",
            result.p,
            result.psi,
            result.p <= rules.alpha,
        )
    else:
        yield from _calibration_lines(group, result, rules)


def _calibration_lines(group: str, result: CalibrationDrift, rules: DriftRules) -> Iterator[DriftLine]:
    for what, new, old, p in (
        ("calibration in the large", result.current_intercept, result.reference_intercept, result.intercept_p),
        ("calibration slope", result.current_slope, result.reference_slope, result.slope_p),
    ):
        if new is None or old is None or p is None:
            yield DriftLine(group, what, EN_DASH, f"not compared, {result.reason}", None)
        else:
            yield DriftLine(
                group, what, "Wald", f"{new.value:.2f} against {old.value:.2f}", p, is_drift=p <= rules.alpha
            )
