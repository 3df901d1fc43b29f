"""Prefect's settings and server; run as a process, for it reads the settings when it is loaded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr

from flows.doctor.finding import Finding, carefully
from flows.doctor.probe import write_findings

__all__ = ["workflow_findings"]

_NEEDED_FOR = "refresh, train, bench, embed, serve"


def workflow_findings() -> Iterator[Finding]:
    """Look whether flows could start: settings, folder, database, server."""
    # Imported here: it is loading that fails.
    with redirect_stderr(io.StringIO()) as lines:
        from flows.engine.prefect_settings import checked_settings

        settings = checked_settings()
    for line in lines.getvalue().splitlines():
        yield Finding("warning", "Prefect", line, _NEEDED_FOR, "unset the variable")
    if settings.api.url is not None:
        from flows.engine.server.check import refuse_unreachable_server

        refuse_unreachable_server()
        yield Finding("ok", "Prefect", f"its server answers at {settings.api.url}", _NEEDED_FOR)
    else:
        from flows.engine.workflow import flow

        found = f"a temporary server, records in {settings.home}"
        yield Finding("ok" if callable(flow) else "missing", "Prefect", found, _NEEDED_FOR)


if __name__ == "__main__":
    write_findings(carefully("Prefect", _NEEDED_FOR, workflow_findings))
