"""What watches a training from outside: who is told of every epoch, and where an interrupted one goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

__all__ = ["EpochReport", "NetworkWatch", "current_watch", "watch_training"]


@dataclass(frozen=True)
class EpochReport:
    """What an epoch came to.

    Attributes
    ----------
    fit : str
        Tells the networks apart that one model trains: the beginning of the hash of all that decides a training.
    epoch, epochs : int
        The epoch, counted from 1, and how many there are at most.
    loss : float
        Mean over the patients that train, augmented, while the weights moved.
    validation_loss, validation_auc : float or None
        Of the inner validation patients after the epoch; None where there are none.
    best_epoch : int
        The epoch whose weights would be kept if this were the last.
    is_last : bool
        Whether the training ends here.
    resumed : bool
        Whether this epoch was not computed now but read from what an interrupted training left.
    """

    fit: str
    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    validation_auc: float | None
    best_epoch: int
    is_last: bool
    resumed: bool = False


@dataclass(frozen=True)
class NetworkWatch:
    """Who watches.

    Attributes
    ----------
    progress : callable, optional
        Is given an `EpochReport` after every epoch, and the last one that was read when a training is resumed.
    checkpoints : Path, optional
        A folder for the state of trainings, each in a file named by the hash of all that decides it: the same
        training, started again with the same folder, goes on where it was and ends with the same weights. The files
        hold no patient's data but what weights carry; the folder may be deleted once the model is saved.
    every : int
        Epochs between two checkpoints.
    """

    progress: Callable[[EpochReport], None] | None = None
    checkpoints: Path | None = None
    every: int = 5


_WATCH: ContextVar[NetworkWatch | None] = ContextVar("network_watch", default=None)


def current_watch() -> NetworkWatch:
    """Return what watches the trainings of this context; nobody where nothing was said."""
    return _WATCH.get() or NetworkWatch()


@contextmanager
def watch_training(watch: NetworkWatch) -> Iterator[None]:
    """Let every network that is trained inside be watched, whichever estimator trains it.

    It is no parameter of the estimators because it decides nothing about a model.
    """
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)
