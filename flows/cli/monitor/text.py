"""What is printed of drift, and written to a file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal

import pyarrow as pa

from flows.cli.answers.files import FileFormat
from flows.cli.answers.text import csv_chunks
from flows.cli.outcome import json_text, table_text
from flows.monitor.page import drift_page
from flows.monitor.report import DriftReport
from flows.monitor.words import comparison_text, comparison_title, verdict
from store.analyst.plain_rows import PlainColumn
from zoo.drift.features import FeaturesDrift

__all__ = ["drift_pieces", "drift_text"]

_SHOWN = ("feature", "ks", "p", "psi", "wasserstein", "reference_median", "current_median")
_SCHEMA = pa.schema(
    [
        ("reference", pa.string()),
        ("current", pa.string()),
        ("feature", pa.string()),
        ("drifts", pa.bool_()),
        ("ks", pa.float64()),
        ("p", pa.float64()),
        ("psi", pa.float64()),
        ("wasserstein", pa.float64()),
        ("reference_median", pa.float64()),
        ("current_median", pa.float64()),
        ("reference_missing", pa.int64()),
        ("current_missing", pa.int64()),
    ]
)


def drift_text(report: DriftReport, limit: int) -> str:
    """Return what drifts as people read it: each comparison in a line, its worst features below.

    Parameters
    ----------
    report : DriftReport
        What was found.
    limit : int
        How many features to show of each comparison.
    """
    asked = [
        report.study,
        *([report.feature_set] if report.feature_set else []),
        *([report.model] if report.model else []),
    ]
    lines = [f"{' '.join(asked)}: by {report.by}, as of commit {report.commit_id}"]
    for each in report.compared:
        lines.append(f"{comparison_title(each)}: {comparison_text(each, report)}")
        if limit and isinstance(each.result, FeaturesDrift):
            rows = [{name: getattr(f, name) for name in _SHOWN} for f in each.result.features[:limit]]
            lines.append(table_text(rows, _SHOWN))
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join([*lines, verdict(report)])


def drift_pieces(report: DriftReport, form: FileFormat | Literal["html"]) -> Iterator[bytes]:
    """Yield the bytes of a file: all features of every comparison, or of JSON and a page the whole answer.

    Parameters
    ----------
    report : DriftReport
        What was found.
    form : {'csv', 'tsv', 'json', 'parquet', 'xlsx', 'html'}
        The file's format.
    """
    if form == "html":
        yield drift_page(report).encode()
        return
    if form == "json":
        yield f"{json_text(report)}\n".encode()
        return
    table = pa.Table.from_pylist(list(_rows(report)), schema=_SCHEMA)
    if form == "parquet":
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        yield sink.getvalue().to_pybytes()
        return
    kinds = {pa.string(): "text", pa.bool_(): "flag"}
    columns = [PlainColumn(field.name, kinds.get(field.type, "number")) for field in _SCHEMA]  # type: ignore[arg-type]
    batches = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=_SCHEMA)]
    if form == "xlsx":
        from flows.cli.answers.workbook import write_workbook

        stream = io.BytesIO()
        write_workbook(batches, columns, stream)
        yield stream.getvalue()
        return
    yield from csv_chunks(batches, columns, "," if form == "csv" else "\t")


def _rows(report: DriftReport) -> Iterator[dict[str, Any]]:
    for each in report.compared:
        if isinstance(each.result, FeaturesDrift):
            drifting = {feature.feature for feature in each.drifting}
            for feature in each.result.features:
                yield {"reference": each.reference, "current": each.current, "drifts": feature.feature in drifting} | (
                    asdict(feature)
                )
