"""States of unfinished trainings on disk: written whole or not at all, read without running code."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["TrainingState", "read_state", "write_state"]


@dataclass
class TrainingState:
    """All that a training has come to after an epoch.

    No generator's state is among it: what an epoch draws (order of patients, transforms) is decided by the seed and
    the epoch's number.
    """

    network: dict[str, Any]
    optimiser: dict[str, Any]
    epoch: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = float("inf")
    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    validation_aucs: list[float] = field(default_factory=list)
    is_finished: bool = False


def read_state(file: Path) -> TrainingState | None:
    """Return the state that a file holds; None where there is none, or none that can be read.

    A damaged one is worth no more than its epochs, which are trained again.
    """
    try:
        # Opening a pipe in its place would wait for ever.
        if not file.is_file():
            return None
        state = TrainingState(**torch.load(file, map_location="cpu", weights_only=True))
    except Exception:  # bytes that were changed take zipfile and the unpickler anywhere
        return None
    return state if _is_whole(state) else None


def _is_whole(state: TrainingState) -> bool:
    courses = (state.losses, state.validation_losses, state.validation_aucs)
    return (
        all(isinstance(each, int) and not isinstance(each, bool) for each in (state.epoch, state.best_epoch))
        and 0 <= state.best_epoch <= state.epoch
        and isinstance(state.best_loss, float)
        and isinstance(state.is_finished, bool)
        and all(isinstance(course, list) and all(isinstance(each, float) for each in course) for course in courses)
        and len(state.losses) == state.epoch
        and all(isinstance(each, dict) for each in (state.network, state.optimiser, state.best))
        and all(isinstance(each, Tensor) for weights in (state.network, state.best) for each in weights.values())
    )


def write_state(file: Path, state: TrainingState) -> None:
    """Write a state in the place of an older one; a kill leaves one of the two.

    Where somebody else, who trained the same and is done, removes the folder meanwhile, nothing is written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{uuid.uuid4().hex}.tmp")
    # dataclasses.asdict would copy every tensor.
    written = {name: getattr(state, name) for name in TrainingState.__dataclass_fields__}
    try:
        with unfinished.open("wb") as stream:
            torch.save(written, stream)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
    except FileNotFoundError:
        pass
    finally:
        unfinished.unlink(missing_ok=True)
