"""Studies with real image files, freshly written or ready, and the one Prefect server of a test session."""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

# Read by Prefect when it is imported, which test modules do before any fixture runs.
_PREFECT_HOME = tempfile.mkdtemp(prefix="radzoo-prefect-")
atexit.register(shutil.rmtree, _PREFECT_HOME, ignore_errors=True)
os.environ |= {
    "PREFECT_HOME": _PREFECT_HOME,
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}

from builders.cohorts import tried_study, write_tiny_images  # noqa: E402  (after the environment)
from builders.command_line import printed  # noqa: E402
from builders.study import SmallStudy  # noqa: E402

from store.history.studies import stored_study  # noqa: E402

_UNUSED_SERVICES = (
    *("CANCELLATION_CLEANUP", "EVENT_PERSISTER", "FOREMAN", "LATE_RUNS", "PAUSE_EXPIRATIONS", "REPOSSESSOR"),
    *("SCHEDULER", "TASK_RUN_RECORDER", "TRIGGERS"),
)
"""Of Prefect's server: no test asks the session's one for tasks and events, and to keep them takes half its time."""


@pytest.fixture
def small_study(tmp_path: Path) -> SmallStudy:
    """Return a small study, freshly written and not ingested."""
    return SmallStudy.below(tmp_path)


@pytest.fixture(scope="session")
def ready_study(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """Return a study that is ingested and refreshed; tests only read it."""
    study = SmallStudy.below(tmp_path_factory.mktemp("ready"))
    study.ingest()
    study.refresh_without_prefect()
    return study


@pytest.fixture
def ask(trained_study: SmallStudy, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a verb on the trained study's store and returns exit code, stdout and stderr."""

    def run(*arguments: object, store: Path | None = None) -> tuple[int, str, str]:
        return printed(capsys, "--store", store or trained_study.store_root, *arguments)

    return run


@pytest.fixture(scope="session")
def trained_study(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """Return a study of 60 patients whose images tell the label, with models trained and judged; only read it."""
    from builders.models import train

    from flows.bench.run import bench

    study = tried_study(tmp_path_factory.mktemp("trained"))
    study.ingest()
    study.refresh_without_prefect()
    train(study.store, stored_study(study.snapshot, "tried"))
    # Every model is there and as the study says it: nothing is trained again, and Prefect does not start.
    bench(study.store, "tried")
    return study


@pytest.fixture(scope="session")
def tiny_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one tiny image and mask for each patient of the published cohort."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_images(folder)
    return folder


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """Give the URL of the session's one Prefect server, temporary: as in `run_tasks`, runs wait for no heartbeat."""
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as environment:
            for service in _UNUSED_SERVICES:
                environment.setenv(f"PREFECT_SERVER_SERVICES_{service}_ENABLED", "false")
            stack.enter_context(prefect_test_harness(server_startup_timeout=120))
        stack.enter_context(temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}))
        yield str(PREFECT_API_URL.value())


@pytest.fixture(scope="session")
def prefect_records(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ``prefect.db`` with Prefect's tables, which a server would take seconds to lay out; tests copy it."""
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    assert prefect_server
    laid_out = make_url(PREFECT_API_DATABASE_CONNECTION_URL.value()).database
    records = tmp_path_factory.mktemp("records") / "prefect.db"
    with closing(sqlite3.connect(str(laid_out))) as connection:
        connection.execute("vacuum into ?", (str(records),))
    return records
