"""How long each model's training takes, so that the longest begins first and the time left can be told."""

from __future__ import annotations

import re

from schemas.study.file import Study
from schemas.study.networks import NetworkSettings
from zoo.registry import study_spec

__all__ = ["training_work"]

_OF_A_TABLE = 10.0
_LAYERS = 10
"""Of a network whose name says no number: as many as of the smallest."""


def training_work(study: Study, model: str) -> float:
    """Return how long a training takes beside the study's others, in layers that are trained for an epoch.

    A rough measure: training may end before its last epoch, and what was trained before is not trained again.

    Parameters
    ----------
    study : Study
        Which names the model and its settings.
    model : str
        The model's name.
    """
    spec = study_spec(study, model)
    if not spec.is_network:
        return _OF_A_TABLE
    settings = study.settings_of(model).network or NetworkSettings()
    named = re.search(r"resnet(\d+)", spec.base or spec.name)
    return float(settings.epochs * (int(named[1]) if named else _LAYERS))
