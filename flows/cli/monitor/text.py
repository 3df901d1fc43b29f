"""What is printed of drift, and written to a file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from flows.cli.answers.files import FileFormat
from flows.cli.answers.text import csv_chunks
from flows.cli.outcome import counted, json_text, table_text
from flows.monitor.report import Compared, DriftReport
from store.analyst.plain_rows import PlainColumn
from zoo.drift.features import FeaturesDrift
from zoo.drift.labels import CalibrationDrift, Estimate, OutcomeDrift
from zoo.drift.scores import ScoreDrift

__all__ = ["drift_pieces", "drift_text"]

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
        lines += _lines(each, report, limit)
    lines += [f"left out: {note}" for note in report.notes]
    adjusted = f"p adjusted for {counted(report.tests, 'test')}, of {report.draws:,} exchanges of patients"
    if not report.tests:
        lines.append("nothing is compared: no two groups have patients enough")
    elif report.findings:
        lines.append(f"drift: {'; '.join(_named(report))} ({adjusted})")
    else:
        lines.append(f"no drift at the level {report.rules.alpha:g} ({adjusted})")
    return "\n".join(lines)


def drift_pieces(report: DriftReport, form: FileFormat) -> Iterator[bytes]:
    """Yield the bytes of a file: all features of every comparison, or of JSON the whole answer.

    Parameters
    ----------
    report : DriftReport
        What was found.
    form : {'csv', 'tsv', 'json', 'parquet', 'xlsx'}
        The file's format.
    """
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


def _named(report: DriftReport) -> Iterator[str]:
    for each in report.compared:
        if each.findings:
            yield f"{each.current} against {each.reference}: {', '.join(each.findings)}"


def _rows(report: DriftReport) -> Iterator[dict[str, Any]]:
    for each in report.compared:
        if isinstance(each.result, FeaturesDrift):
            drifting = {feature.feature for feature in each.drifting}
            for feature in each.result.features:
                yield {"reference": each.reference, "current": each.current, "drifts": feature.feature in drifting} | (
                    asdict(feature)
                )


def _lines(each: Compared, report: DriftReport, limit: int) -> Iterator[str]:
    of = (
        f"{each.what}, {each.current} ({counted(each.current_patients, 'patient')}) against {each.reference} "
        f"({counted(each.reference_patients, 'patient')}): "
    )
    result = each.result
    if result is None:
        yield f"{of}not compared, {each.reason}"
    elif isinstance(result, FeaturesDrift):
        rules = report.rules
        yield (
            f"{of}{len(each.drifting):,} of {len(result.features):,} features drift (p <= {rules.alpha:g} and PSI >= "
            f"{rules.least_psi:g}; PSI is {result.chance_psi:.2g} on average where nothing drifts); "
            f"a classifier tells them apart with AUC {result.auc:.3f}, p {result.auc_p:.2g}"
        )
        if limit:
            names = ("feature", "ks", "p", "psi", "wasserstein", "reference_median", "current_median")
            rows = [{name: getattr(f, name) for name in names} for f in result.features[:limit]]
            yield table_text(rows, names)
    elif isinstance(result, OutcomeDrift):
        yield (
            f"{of}label 1 in {_percent(result.current_rate)}, {result.current_events} of {result.current_labelled}, "
            f"against {_percent(result.reference_rate)}, {result.reference_events} of {result.reference_labelled}; "
            f"p {result.p:.2g}"
        )
    elif isinstance(result, ScoreDrift):
        yield (
            f"{of}mean {result.current_mean:.3f} against {result.reference_mean:.3f}, KS {result.ks:.3f}, "
            f"PSI {result.psi:.2g}, p {result.p:.2g}"
        )
    else:
        yield f"{of}{_calibration(result)}"


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
