"""What a run read and wrote, for a lineage collector: studies, feature sets, models, leaderboards, and no patient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select

from store.catalogue.connection import read_transaction
from store.catalogue.tables import commits, versioned_table
from store.home import Store

__all__ = ["Lineage", "lineage_of_run"]


class Lineage(NamedTuple):
    """What a run read and wrote."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    commit_id: int | None
    """The newest commit that it made; None where it changed nothing."""


def lineage_of_run(store: Store, run_id: str, flow: str, study: str | None) -> Lineage:
    """Return what a run read and wrote, as its commits say.

    Parameters
    ----------
    store : Store
        The store.
    run_id : str
        The run.
    flow : str
        ingest, refresh, embed, train, bench or compact.
    study : str or None
        The study; None where it was of all.
    """
    with read_transaction(store.engine) as connection:
        own = list(connection.execute(select(commits.c.commit_id).where(commits.c.run_id == run_id)).scalars())

        def added(table: str, column: str) -> list[str]:
            rows = versioned_table(table)
            found = select(rows.c[column]).where(rows.c.added_commit.in_(own), rows.c.study == study).distinct()
            return sorted(connection.execute(found).scalars()) if own else []

        sets = _named("features", added("study_extractions", "feature_set"))
        models = _named(f"models/{study}", added("models", "model"))
        judged = _named(f"models/{study}", added("leaderboard", "model"))
        read, fitted = versioned_table("datasets"), versioned_table("models")
        # A table that another model has pinned before is not added again.
        of_models = (
            select(read.c.feature_set)
            .where(read.c.study == study, fitted.c.study == study, fitted.c.added_commit.in_(own))
            .where(read.c.dataset_id == fitted.c.dataset_id)
            .distinct()
        )
        learnt_from = sorted({name for name in connection.execute(of_models).scalars() if name}) if own else []
    newest = max(own, default=None)
    source = () if study is None else (f"studies/{study}",)
    if flow == "ingest":
        return Lineage((), (*source, *sets), newest)
    if flow in ("refresh", "embed"):
        return Lineage(source, sets, newest)
    if flow == "train":
        return Lineage((*source, *_named("features", learnt_from)), models, newest)
    if flow == "bench":
        # It trains what is missing: what it has written itself it has not found.
        found = tuple(each for each in judged if each not in models)
        written = (*models, f"leaderboard/{study}") if judged else models
        return Lineage((*source, *_named("features", learnt_from), *found), written, newest)
    return Lineage((), (), newest)


def _named(kind: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{kind}/{name}" for name in names)
