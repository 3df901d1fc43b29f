"""Models that could not be fitted or judged, kept among the failures until they can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from schemas.keys import MaskKey
from store.commits.commit import Commit, commit_to
from store.history.basis import Basis
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.tables.fits import UnfitError

__all__ = ["Stage", "put_unfit_models", "reason_of", "record_unfit_models", "unfit_models"]

Stage = Literal["train", "bench"]

_NO_MASK = MaskKey("", "", "", "", "", 0)


def unfit_models(snapshot: Snapshot, study: str, stage: Stage) -> dict[str, str]:
    """Return the reasons on record why models of a study could not be fitted, by model."""
    return {row["feature"]: row["reason"] for row in snapshot.rows("failures", stage=stage, study=study)}


def put_unfit_models(
    commit: Commit, study: str, stage: Stage, models: Iterable[str], errors: Mapping[str, UnfitError]
) -> None:
    """Write why models could not be fitted; what was on record of a model that now could is removed.

    Parameters
    ----------
    commit : Commit
        The open commit.
    study : str
        The study's id.
    stage : {"train", "bench"}
        Where it happened.
    models : iterable of str
        All models that were tried.
    errors : mapping of str to UnfitError
        The failed ones of them.
    """
    for model in models:
        scope: dict[str, Any] = {"stage": stage, "study": study, "feature": model}
        empty = _NO_MASK._asdict() | {"feature_set": ""}
        rows = [scope | empty | {"reason": reason_of(errors[model])}] if model in errors else []
        commit.put("failures", rows, replacing=scope)


def record_unfit_models(
    store: Store, study: str, stage: Stage, models: Sequence[str], errors: Mapping[str, UnfitError], basis: Basis
) -> None:
    """Do what `put_unfit_models` does in a commit of its own, where the record differs."""
    snapshot = Snapshot(store)
    stored = unfit_models(snapshot, study, stage)
    # What is on record of a model that the study names no more goes too.
    tried = [*models, *(stored.keys() - set(models) - _own_models(snapshot, study))]
    now = {model: reason_of(error) for model, error in errors.items()}
    if {model: reason for model, reason in stored.items() if model in tried} == now:
        return
    with commit_to(store, f"{stage} {study}: models that cannot be fitted", basis=basis) as commit:
        put_unfit_models(commit, study, stage, tried, errors)


def reason_of(error: UnfitError) -> str:
    """Return where and why, as it is kept."""
    return f"{error.where}: {error.message}" if error.where else error.message


def _own_models(snapshot: Snapshot, study: str) -> set[str]:
    return set(stored_study(snapshot, study).models)
