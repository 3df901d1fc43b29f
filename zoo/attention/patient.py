"""Where a network of several phases finds what speaks for label 1 in one patient, phase by phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from schemas.errors import ContractError
from schemas.study.networks import NetworkSettings
from zoo.attention.score_cam import BATCH, Activations, Score, attention_map, score_cam
from zoo.attention.scores import MARGIN_MM, STEPS, AttentionScores, attention_scores
from zoo.networks.architecture import PhaseNetwork
from zoo.networks.classifier import NetworkClassifier
from zoo.networks.runtime import computing

__all__ = ["PhaseAttention", "patient_attention"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class PhaseAttention:
    """What one phase of one patient shows of a network.

    Attributes
    ----------
    phase : str
        Its name.
    coarse : ndarray of shape (rows, columns)
        The class activation map, as coarse as the network's last maps; `zoo.attention.score_cam.attention_map` makes it
        the picture's size.
    scores : AttentionScores
        Its numbers.
    """

    phase: str
    coarse: Floats
    scores: AttentionScores


def patient_attention(
    model: NetworkClassifier,
    patient: pl.DataFrame,
    masks: Bools,
    *,
    margin: float = MARGIN_MM,
    spacing: tuple[float, float] = (1.0, 1.0),
    steps: int = STEPS,
) -> list[PhaseAttention]:
    """Return the class activation maps of one patient's phases, with their numbers.

    The score is the log odds of label 1: what decides the probability, and what adding the same to the scores of
    both labels leaves as it is. A map is of one phase: its region is masked, and so are its pixels replaced, while
    those of the other phases, and what else the network reads, stay as they are.

    Parameters
    ----------
    model : NetworkClassifier
        Fitted.
    patient : polars.DataFrame
        One row of the table that the model reads.
    masks : ndarray of bool of shape (n_phases, size, size)
        The tumour in the middle slice of each region, the phases in the order of ``model.phases_``.
    margin : float
        Width of the tumour's margin in the unit of ``spacing``, half of it on either side of the outline.
    spacing : tuple of float
        Height and width of a region's pixel.
    steps : int
        Of the insertion and deletion curves.

    Raises
    ------
    ContractError
        If it is not one patient, the masks are not of the regions' size, or the network gives no maps.
    """
    images = model.scaled_images(patient)
    wanted = (len(model.phases_), *images.shape[3:])
    if len(images) != 1:
        raise ContractError(f"attention is of one patient, the table has {len(images)}")
    if masks.shape != wanted:
        raise ContractError(f"the masks have shape {masks.shape}, the regions' is {wanted}")
    beside = model._tabular(patient)
    found = []
    with computing(model.settings or NetworkSettings()) as device:
        network = model.network().to(device)
        if not network.has_maps:
            raise ContractError(f"the network '{model.architecture}' has no feature_maps, so no class activation maps")
        regions = torch.from_numpy(images[0]).to(device)
        tabular = None if beside is None else torch.from_numpy(beside).to(device)
        for position, phase in enumerate(model.phases_):
            log_odds = _log_odds(network, regions, tabular, position)

            def probability(changed: Floats, log_odds: Score = log_odds) -> Floats:
                given = torch.from_numpy(changed.astype(np.float32)).to(device)
                with torch.inference_mode():
                    found = torch.cat([log_odds(given[start : start + BATCH]) for start in range(0, len(given), BATCH)])
                return np.asarray(expit(found.double().cpu().numpy() + model.prior_log_odds_), dtype=np.float64)

            coarse = score_cam(regions[position], _maps(network, regions, position), log_odds)
            image = images[0, position].astype(np.float64)
            scores = attention_scores(
                image,
                masks[position],
                attention_map(coarse, (image.shape[1], image.shape[2])),
                probability,
                margin=margin,
                spacing=spacing,
                steps=steps,
            )
            found.append(PhaseAttention(phase, coarse, scores))
    return found


def _log_odds(network: PhaseNetwork, regions: Tensor, tabular: Tensor | None, position: int) -> Score:
    """Return the log odds of label 1 as a function of one phase's region."""
    if network.fusion != "early":
        with torch.inference_mode():
            others = network.embed(regions[None])

    def log_odds(changed: Tensor) -> Tensor:
        n = len(changed)
        if network.fusion == "early":
            embedded = network.embed(_with(regions, changed, position))
        else:
            # The trunk reads each phase by itself: the other phases' features are known.
            embedded = others.repeat(n, 1, 1)
            embedded[:, position] = network.trunk_of(position)(changed)
        scores = network.scores(embedded, None if tabular is None else tabular.expand(n, -1))
        return scores[:, 1] - scores[:, 0]

    return log_odds


def _maps(network: PhaseNetwork, regions: Tensor, position: int) -> Activations:
    """Return the last stage's maps as a function of one phase's region."""

    def maps(changed: Tensor) -> Tensor:
        if network.fusion == "early":
            trunk, images = network.trunk, _with(regions, changed, position).flatten(1, 2)
        else:
            trunk, images = network.trunk_of(position), changed
        found: Tensor = trunk.feature_maps(images)  # type: ignore[operator]
        return found

    return maps


def _with(regions: Tensor, changed: Tensor, position: int) -> Tensor:
    images = regions.repeat(len(changed), 1, 1, 1, 1)
    images[:, position] = changed
    return images
