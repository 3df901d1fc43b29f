"""What drifts, as one HTML page that needs nothing beside it."""

from __future__ import annotations

from flows.monitor.report import DriftReport
from flows.monitor.words import comparison_text, comparison_title, verdict
from flows.pages.page import page_text
from zoo.drift.features import FeaturesDrift

__all__ = ["drift_page"]

_SHOWN = 200  # features of a comparison; a table has all of them


def drift_page(report: DriftReport) -> str:
    """Return the page of a report: the verdict, each comparison, its features that drift most, who is left out.

    Parameters
    ----------
    report : DriftReport
        What was found.
    """
    sections = []
    for each in report.compared:
        features = each.result.features if isinstance(each.result, FeaturesDrift) else ()
        sections.append(
            {
                "title": comparison_title(each),
                "text": comparison_text(each, report),
                "findings": each.findings,
                "features": features[:_SHOWN],
                "of": len(features),
                "drifting": {feature.feature for feature in each.drifting},
            }
        )
    return page_text("monitor", {"report": report, "verdict": verdict(report), "sections": sections})
