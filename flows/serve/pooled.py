"""The flows that a worker of a Prefect work pool loads: one a verb, told by its parameters what is served.

A worker reads a deployment's entrypoint from the server, and so it can hold no flow of its own as `radzoo serve` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.engine.workflow import Flow, State, flow
from flows.serve.schedules import carry_out_run
from flows.serve.verbs import ServedVerb
from flows.serve.work import ServedStudy

__all__ = ["POOLED_FLOWS", "run_parameters"]


def run_parameters(served: ServedStudy) -> dict[str, str | None]:
    """Return the parameters of a flow of this module; what is None stands there too, so that nobody can add it.

    Parameters
    ----------
    served : ServedStudy
        With whole paths: a worker starts elsewhere.
    """
    return {
        "study_file": str(served.file),
        "study": served.study,
        "store": str(served.store),
        "timezone": served.timezone,
        "monitor_by": served.monitor_by,
        "report_file": None if served.report is None else str(served.report),
        "on_failure": served.on_failure,
    }


def _made(verb: ServedVerb) -> Flow[..., State[Any]]:
    def run(
        study_file: str,
        study: str,
        store: str,
        timezone: str | None = None,
        monitor_by: str | None = None,
        report_file: str | None = None,
        on_failure: str | None = None,
    ) -> State[Any]:
        report = None if report_file is None else Path(report_file)
        return carry_out_run(
            verb, ServedStudy(Path(study_file), study, Path(store), timezone, on_failure, report, monitor_by)
        )

    # Prefect makes the entrypoint of module and name.
    run.__name__ = run.__qualname__ = f"{verb}_study"
    return flow(name=f"{verb}-study", persist_result=False)(run)


# By these names a worker finds them.
ingest_study = _made("ingest")
refresh_study = _made("refresh")
train_study = _made("train")
bench_study = _made("bench")
report_study = _made("report")
monitor_study = _made("monitor")
expect_study = _made("expect")
compact_study = _made("compact")

POOLED_FLOWS: Mapping[ServedVerb, Flow[..., State[Any]]] = {
    "ingest": ingest_study,
    "refresh": refresh_study,
    "train": train_study,
    "bench": bench_study,
    "report": report_study,
    "monitor": monitor_study,
    "expect": expect_study,
    "compact": compact_study,
}
"""The flow of each verb."""
