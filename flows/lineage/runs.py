"""Runs on record, told to a lineage collector where the environment names one."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any

from flows.engine.progress import say
from flows.lineage.datasets import Lineage, lineage_of_run
from schemas.foreign_text import one_line
from store.history import runs as stored_runs
from store.history.runs import Run
from store.home import Store

__all__ = ["record_run"]

_PRODUCER = f"radzoo {version('radzoo')}"
_COLLECTOR = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT__")
"""What variables are called that name a collector; others of OpenLineage are switches."""
_PATIENCE = {"timeout": 3.0, "retry": {"total": 1, "connect": 1, "read": 0, "backoff_factor": 0.3}}
"""The client's own are six tries of five seconds for each event, which a run would wait for."""
_ENDINGS = {"done": "COMPLETE", "failed": "FAIL", "interrupted": "ABORT"}


@contextmanager
def record_run(store: Store, flow: str, study: str | None, parameters: Mapping[str, Any]) -> Iterator[Run]:
    """Give a run that the store records, and tell a lineage collector of its start and end where one is named.

    The collector is named by OpenLineage's own variables, such as ``OPENLINEAGE_URL``; with none of them nothing is
    sent, and openlineage-python is not loaded. An event names study, feature sets, models and the commit, and no
    patient, path or message. What cannot be sent is a line; it ends no run.

    Parameters
    ----------
    store, flow, study, parameters
        As `store.history.runs.record_run` takes them.

    References
    ----------
    OpenLineage, object model 2-0-2, https://openlineage.io/spec/2-0-2/OpenLineage.json.
    """
    client = _client()
    with stored_runs.record_run(store, flow, study, parameters) as run:
        if client is None:
            yield run
            return
        is_heard = _emit(client, "START", store, run, flow, study)
        ending = "interrupted"
        try:
            yield run
            ending = "done"
        except Exception:
            ending = "failed"
            raise
        finally:
            # Who has not heard of the start is not waited for again.
            if is_heard:
                _emit(client, _ENDINGS[ending], store, run, flow, study)


@cache
def _client() -> Any:
    """Return the client of the collector that the environment names; None where it names none."""
    named = [name for name in os.environ if name.startswith(_COLLECTOR)]
    if not named:
        return None
    try:
        from openlineage.client import OpenLineageClient

        url = os.environ.get("OPENLINEAGE_URL")
        return OpenLineageClient(transport=_http(url)) if url else OpenLineageClient()
    except ModuleNotFoundError:
        say(f"{named[0]} is set, and openlineage-python is not installed: pip install 'radzoo[openlineage]'")
    except Exception as error:  # a variable that the client cannot read, of whichever kind
        say(one_line(f"no lineage is sent: {error}"))
    return None


def _http(url: str) -> Any:
    """Return what sends to a collector by HTTP, with the endpoint and key of OpenLineage's variables."""
    from openlineage.client.transport.http import HttpConfig, HttpTransport

    settings: dict[str, Any] = {"url": url, **_PATIENCE}
    if endpoint := os.environ.get("OPENLINEAGE_ENDPOINT"):
        settings["endpoint"] = endpoint
    if key := os.environ.get("OPENLINEAGE_API_KEY"):
        settings["auth"] = {"type": "api_key", "apiKey": key}
    return HttpTransport(HttpConfig.from_dict(settings))


def _emit(client: Any, kind: str, store: Store, run: Run, flow: str, study: str | None) -> bool:
    """Send an event, and return whether it was taken."""
    try:
        client.emit(_event(kind, run, flow, study, lineage_of_run(store, run.run_id, flow, study)))
    except Exception as error:  # whatever a transport raises
        said = re.sub(r"//[^/\s]*@", "//", one_line(str(error)))
        say(f"lineage of this run was not sent: {said}")
        return False
    return True


def _event(kind: str, run: Run, flow: str, study: str | None, lineage: Lineage) -> Any:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, RunEvent, RunState
    from openlineage.client.event_v2 import Run as ToldRun
    from openlineage.client.facet_v2 import dataset_version_dataset, error_message_run, processing_engine_run

    namespace = os.environ.get("OPENLINEAGE_NAMESPACE", "radzoo")
    facets: dict[str, Any] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(version=version("radzoo"), name="radzoo")
    }
    if kind == "FAIL":
        # The message may name a patient or a path.
        said = f"radzoo sql \"from runs where run_id = '{run.run_id}'\" says why"
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(said, "python")
    versions: dict[str, Any] = {}
    if lineage.commit_id is not None:
        versions["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=str(lineage.commit_id))
    return RunEvent(
        eventType=RunState[kind],
        eventTime=datetime.now(UTC).isoformat(),
        run=ToldRun(str(uuid.UUID(hex=run.run_id)), facets),
        job=Job(namespace, flow if study is None else f"{study}.{flow}"),
        producer=_PRODUCER,
        inputs=[InputDataset(namespace, name) for name in lineage.inputs],
        outputs=[OutputDataset(namespace, name, facets=versions) for name in lineage.outputs],
    )
