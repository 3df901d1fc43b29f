"""All checks, side by side, in the order in which their findings are read."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from flows.doctor.finding import EVERY_VERB, Finding, carefully
from flows.doctor.machine import (
    cache_findings,
    encoding_findings,
    memory_findings,
    sandbox_findings,
    temporary_findings,
)
from flows.doctor.probe import probe_findings

__all__ = ["machine_findings"]

# A check takes a second or two; more where a machine is busy or a disk is slow.
_PATIENCE_S = 60.0


def machine_findings(store: Path) -> list[Finding]:
    """Return what the machine has and lacks for each verb.

    Parameters
    ----------
    store : Path
        The store that verbs would use.
    """
    checks: list[Callable[[], list[Finding]]] = [
        lambda: _probed("libraries", "libraries", EVERY_VERB),
        lambda: _probed("networks", "torch", "networks: train, embed, predict"),
        lambda: _probed("packages", "packages", "models of other packages"),
        lambda: _probed("workflows", "Prefect", "refresh, train, bench, embed, serve"),
        lambda: _probed("store_place", "store", EVERY_VERB, str(store)),
        lambda: carefully("memory", "refresh, train, bench", memory_findings),
        lambda: carefully("temporary folder", EVERY_VERB, temporary_findings),
        lambda: carefully("sandbox", "ingest, refresh, sql, predict", sandbox_findings),
        lambda: carefully("fonts", "report", cache_findings),
        lambda: carefully("characters", EVERY_VERB, encoding_findings),
    ]
    with ThreadPoolExecutor(max_workers=len(checks)) as pool:
        return list(chain.from_iterable(pool.map(lambda check: check(), checks)))


def _probed(module: str, what: str, needed_for: str, *arguments: str) -> list[Finding]:
    return probe_findings(module, *arguments, what=what, needed_for=needed_for, patience_s=_PATIENCE_S)
