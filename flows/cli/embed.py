"""The verb ``embed``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.cli.outcome import CommandResult, Context, Workers
from flows.embed.run import FOLDS, EmbedReport
from flows.embed.run import embed as embed_study
from flows.engine.runners.address import runner_of
from store.home import Store

__all__ = ["embed"]


def embed(
    model: str,
    *,
    study: str | None = None,
    folds: Annotated[int, Parameter(validator=Number(gte=2))] = FOLDS,
    in_training: bool = False,
    workers: Workers = None,
    runner: str = "local",
    context: Annotated[Context, Parameter(parse=False)],
) -> CommandResult:
    """Put a network's embeddings into the store: out of fold, so that models may learn from them.

    Training patients are embedded out of fold, by networks that were trained on the other folds; all others by the
    trained model. So no embedding is of a patient whose label its network saw. Embeddings are a feature set, added in
    one commit; a model reads them as it reads any: feature_set = "dl-resnet10". What is there for the same inputs is
    not made again.

    Parameters
    ----------
    model
        A network of the zoo that reads regions, such as dl_resnet10; trained first where it is missing.
    study
        The study's id; may be left out where the store has one study.
    folds
        Parts of the training cohort.
    in_training
        Also keep the trained network's embeddings of its own training patients, to be looked at: they carry the
        labels, and no model may learn from them.
    workers
        Worker processes; as many as there are cores where not given. On a cluster, how many networks are trained at
        once; two for each thread of its workers where not given.
    runner
        Where the networks of the folds are trained: local, dask://HOST:PORT or ray://HOST:PORT, the workers of a Dask
        or Ray cluster (docs/more-machines.md). The network that embeds all others is trained on this machine.

    Examples
    --------
    radzoo embed dl_resnet10 --study my-study
    """
    found = embed_study(
        Store(context.store),
        model,
        study,
        folds=folds,
        in_training=in_training,
        workers=workers,
        runner=runner_of(runner),
    )
    return CommandResult(_text(found), found)


def _text(found: EmbedReport) -> str:
    line = (
        f"{found.study} {found.feature_set} ({found.size} numbers, phases {', '.join(found.phases)}): "
        f"{found.out_of_fold} training patients out of fold, {found.held_out} held out"
    )
    if found.in_training:
        line += f", {found.in_training} in training"
    return line + (f"; commit {found.commit_id}" if found.commit_id is not None else "; unchanged")
