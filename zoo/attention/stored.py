"""Attention of the store's networks: of one patient of a model's dataset, and of the examples that bench takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator

from schemas.errors import ContractError
from schemas.keys import canonical_json
from store.analyst.query import snapshot_connection
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.rows.regions import region_ids, stored_region_masks, stored_regions
from zoo.attention.panels import AttentionPanel
from zoo.attention.patient import PhaseAttention, patient_attention
from zoo.attention.score_cam import attention_map
from zoo.attention.scores import MARGIN_MM, AttentionScores
from zoo.models.saved import SavedModel, patient_of, stored_model, trained_from
from zoo.networks.classifier import NetworkClassifier
from zoo.saving.folders import version_key
from zoo.tables.feature_columns import stored_feature_set

__all__ = [
    "StoredAttention",
    "attention_panels",
    "example_attention",
    "example_patients",
    "network_of",
    "stored_attention",
]

Row = dict[str, Any]

_SCORES = tuple(AttentionScores.__dataclass_fields__)
_DIGITS = 6  # of a coarse map: beyond them it is rounding


@dataclass(frozen=True)
class StoredAttention:
    """The attention of one network for one patient.

    Attributes
    ----------
    rows : tuple of dict
        Rows of ``attention``, one a phase.
    panels : tuple of AttentionPanel
        The same phases, ready to be drawn.
    probability : float
        Of label 1, by the model.
    """

    rows: tuple[Row, ...]
    panels: tuple[AttentionPanel, ...]
    probability: float


def network_of(estimator: BaseEstimator) -> NetworkClassifier:
    """Return the network of a fitted model that reads regions: itself, or the one that late fusion joins.

    Raises
    ------
    ContractError
        If it has none.
    """
    if not hasattr(estimator, "region_network"):
        raise ContractError(f"{type(estimator).__name__} has no network, so it has no class activation maps")
    network: NetworkClassifier = estimator.region_network()
    return network


def stored_attention(
    snapshot: Snapshot, row: Mapping[str, Any], patient: str, *, margin_mm: float = MARGIN_MM
) -> StoredAttention:
    """Return where a model's network finds what speaks for label 1 in a patient of the model's own dataset.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    row : mapping
        The model's row of the catalogue.
    patient : str
        The pseudonym.
    margin_mm : float
        Width of the tumour's margin, half of it on either side of the outline.

    Raises
    ------
    NotFoundError
        If the patient is not in the dataset.
    ContractError
        If the model has no network.
    """
    return _attention(snapshot, row, stored_model(snapshot, row), trained_from(snapshot, row), patient, margin_mm)


def example_attention(snapshot: Snapshot, row: Mapping[str, Any]) -> list[Row]:
    """Compute the rows of ``attention`` of a network's example patients, one a patient and phase, and return them.

    There are none where the network, of another package, gives no maps.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    row : mapping
        The model's row of the catalogue.
    """
    saved, frame = stored_model(snapshot, row), trained_from(snapshot, row)
    if not network_of(saved.loaded.estimator).network().has_maps:
        return []
    held_out = frame.filter(pl.col("cohort") == "validation")
    probabilities = saved.loaded.estimator.predict_proba(held_out.select(saved.inputs.columns))[:, 1]
    chosen = example_patients(held_out["patient"].to_list(), held_out["label"].to_list(), probabilities.tolist())
    return [each for patient in chosen for each in _attention(snapshot, row, saved, frame, patient, MARGIN_MM).rows]


def example_patients(patients: Sequence[str], labels: Sequence[int], probabilities: Sequence[float]) -> list[str]:
    """Return up to three patients to look at: the surest right answer for either label, and the most wrong one.

    Parameters
    ----------
    patients : sequence of str
        Pseudonyms; among equal answers the first in alphabetical order is taken.
    labels : sequence of int
        1 or 0.
    probabilities : sequence of float
        Of label 1.

    Returns
    -------
    list of str
        The patient with label 1 and the highest probability, the one with label 0 and the lowest, and of the others
        the one whose probability is farthest from the label.
    """
    misses = sorted(
        (abs(label - probability), patient, label)
        for patient, label, probability in zip(patients, labels, probabilities, strict=True)
    )
    chosen = [next((patient for _, patient, of in misses if of == label), None) for label in (1, 0)]
    others = [(miss, patient) for miss, patient, _ in misses if patient not in chosen]
    farthest = max((miss for miss, _ in others), default=0.0)
    chosen += [next((patient for miss, patient in others if miss == farthest), None)]
    return [patient for patient in chosen if patient is not None]


def attention_panels(
    rows: Sequence[Mapping[str, Any]], images: Mapping[str, Any], masks: Mapping[str, Any]
) -> list[AttentionPanel]:
    """Return the panels of one patient's rows of ``attention``.

    Parameters
    ----------
    rows : sequence of mapping
        The phases, in the order of the panels.
    images, masks : mapping of str to array-like of shape (size, size)
        By phase: the slice to show, and the tumour in it.
    """
    panels = []
    for row in rows:
        image = np.asarray(images[row["phase"]], dtype=np.float64)
        coarse = np.asarray(json.loads(row["map"]), dtype=np.float64)
        numbers = {name: math.nan if row[name] is None else float(row[name]) for name in _SCORES}
        panels.append(
            AttentionPanel(
                phase=row["phase"],
                image=image,
                mask=np.asarray(masks[row["phase"]], dtype=bool),
                attention=attention_map(coarse, (image.shape[0], image.shape[1])),
                scores=AttentionScores(**numbers),
            )
        )
    return panels


def _attention(
    snapshot: Snapshot, row: Mapping[str, Any], saved: SavedModel, frame: pl.DataFrame, patient: str, margin_mm: float
) -> StoredAttention:
    own = patient_of(
        frame, row, patient, hint=f"radzoo sql \"from splits where study = '{saved.study}'\" lists the patients"
    )
    network = network_of(saved.loaded.estimator)
    table = own.select(saved.inputs.columns)
    feature_set, ids, side_mm = _tumours(snapshot, row, patient, network.phases_)
    middle = network.n_slices_ // 2
    pixels = stored_regions(snapshot, feature_set, [*ids.values()])
    lesions = stored_region_masks(snapshot, feature_set, [*ids.values()])
    found = patient_attention(
        network,
        table,
        np.stack([lesions[ids[phase]][middle] for phase in network.phases_]),
        margin=margin_mm,
        spacing=(side_mm / network.size_, side_mm / network.size_),
    )
    probability = float(saved.loaded.estimator.predict_proba(table)[0, 1])
    about = version_key(row) | {
        "patient": patient,
        "feature_set": feature_set,
        "cohort": own["cohort"][0],
        "label": own["label"][0],
        "probability": probability,
        "margin_mm": margin_mm,
    }
    rows = [about | {"extraction_id": ids[each.phase]} | _numbers(each) for each in found]
    panels = attention_panels(
        rows,
        {phase: pixels[identity][middle] for phase, identity in ids.items()},
        {phase: lesions[identity][middle] for phase, identity in ids.items()},
    )
    return StoredAttention(tuple(rows), tuple(panels), probability)


def _numbers(found: PhaseAttention) -> Row:
    # A share of nothing is no number, which a catalogue keeps as NULL.
    numbers = {name: None if math.isnan(value) else value for name, value in asdict(found.scores).items()}
    # The map's unit is that of activations: only its shape means something.
    shape = found.coarse / max(float(found.coarse.max()), np.finfo(float).tiny)
    coarse = [[round(value, _DIGITS) for value in line] for line in shape.tolist()]
    return {"phase": found.phase, "map": canonical_json(coarse)} | numbers


def _tumours(
    snapshot: Snapshot, row: Mapping[str, Any], patient: str, phases: Sequence[str]
) -> tuple[str, dict[str, str], float]:
    """Return the set of regions that a model read, a patient's of it by phase, and the regions' side in mm."""
    dataset = snapshot.row("datasets", dataset_id=row["dataset_id"])
    then = Snapshot(snapshot.store, dataset["commit_id"])
    study = stored_study(then, row["study"])
    feature_set = stored_feature_set(then, study, json.loads(dataset["inputs"])["regions"])
    found = region_ids(then, study.id, feature_set)[patient]
    ids = {phase: found[phase] for phase in phases}
    with snapshot_connection(then, {"regions"}) as connection:
        sides = connection.sql(
            "select side_mm from regions where feature_set = ? and extraction_id in ?",
            params=[feature_set, [*ids.values()]],
        ).fetchall()
    # One square box holds the tumour of all phases.
    return feature_set, ids, float(max(side for (side,) in sides))
