"""Models as folders read without running code: estimator.skops, weights.safetensors, model.json; never pickle."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from schemas.errors import ContractError, NotFoundError
from zoo.model_archive import canonical_archive, joined_archive

# skops takes four seconds to load, and torch with it where that is installed: it is imported where a model is read or
# written, for the list of models and every --help pass through here.
if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["TRUSTED_TYPES", "LoadedModel", "checked_contents", "folder_sha256", "load_model", "save_model"]

_ESTIMATOR = "estimator.skops"
_RECORD = "model.json"
_CARD = "card.md"
# 1 had no card, and knew neither the definition of its features nor the units of its variables; 2 had no networks.
_FORMAT = 3
_READABLE = (1, 2, 3)
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "skops", "radzoo")
_NETWORK_LIBRARIES = ("torch", "monai", "safetensors")

TRUSTED_TYPES: tuple[str, ...] = (
    "numpy.dtype",
    # The calibrated machine of models of before zoo.platt, the neighbours' search tree and the boosted trees: arrays
    # behind scikit-learn's and XGBoost's own classes, whose private modules skops does not trust by itself.
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neighbors._kd_tree.KDTree",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "zoo.clinical.ClinicalLogisticRegression",
    "zoo.clinical.EliminationStep",
    "zoo.combined.CombinedFeatures",
    "zoo.clinical.ExcludedFactor",
    "zoo.wald.FactorEffect",
    "zoo.feasible_folds.FeasibleFolds",
    "zoo.fusion.FusionClassifier",
    "zoo.harmonise.ComBatHarmoniser",
    "zoo.late_fusion.LateFusionClassifier",
    "zoo.network_classifier.NetworkClassifier",
    "zoo.platt.PlattClassifier",
    "zoo.selection.lasso.LassoSelector",
    "zoo.selection.univariable.UnivariableSelector",
    "zoo.staging.estimators.ComparatorClassifier",
    "zoo.tuned.TunedClassifier",
)
"""Types a model may hold beside arrays, plain values and scikit-learn's estimators, which skops trusts."""


@dataclass(frozen=True)
class LoadedModel:
    """A model read from its folder.

    Attributes
    ----------
    estimator : BaseEstimator
        Fitted.
    metadata : Mapping[str, JsonValue]
        What was given to ``save_model``.
    libraries : Mapping[str, str]
        Versions of the libraries that wrote the model.
    sha256 : str
        The folder's hash.
    card : str or None
        What the model is, for people; None in a folder of format 1.
    """

    estimator: BaseEstimator
    metadata: Mapping[str, JsonValue]
    libraries: Mapping[str, str]
    sha256: str
    card: str | None = None


def save_model(
    folder: Path, estimator: BaseEstimator, metadata: Mapping[str, JsonValue], card: str | None = None
) -> str:
    """Return the sha256 of the folder that was written.

    The folder appears complete or not at all: it is written beside its place and renamed. It is never
    changed afterwards; saving the same model there again is allowed and writes nothing. Equal estimators
    and metadata give equal bytes in every process.

    Parameters
    ----------
    folder : Path
        Where the model goes; its parent is made if needed.
    estimator : BaseEstimator
        Fitted, of types that ``load_model`` accepts. Weights of networks in it get files of their own
        (``weights.safetensors``), which other programs can read.
    metadata : Mapping[str, JsonValue]
        What a user of the model needs: input columns in order, threshold, dataset, ...
    card : str, optional
        What the model is, for people, in Markdown; no card is written where there is none.

    Raises
    ------
    ContractError
        If the folder holds another model, the estimator holds a type that would be refused on loading, or
        the metadata are not JSON (NaN and infinity are not).
    """
    archive, weights = _estimator_files(estimator, folder)
    contents = {
        _ESTIMATOR: archive,
        **weights,
        _RECORD: _record_bytes(metadata, folder, _LIBRARIES + (_NETWORK_LIBRARIES if weights else ())),
    } | ({} if card is None else {_CARD: card.encode()})
    sha256 = folder_sha256(contents)
    if folder.exists():
        if folder.is_dir() and folder_sha256(_contents(folder)) == sha256:
            return sha256
        raise ContractError(
            "there is another model already, and a saved model is never changed",
            where=str(folder),
            hint="save under a new version",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    unfinished.mkdir()
    try:
        for name, content in contents.items():
            with (unfinished / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return sha256


def load_model(folder: Path, expected_sha256: str | None = None, *, beside: Sequence[str] = ()) -> LoadedModel:
    """Return the model of a folder; nothing of it is run before its hash and every type in it are checked.

    Parameters
    ----------
    folder : Path
        Written by ``save_model``.
    expected_sha256 : str, optional
        The catalogue's hash; without it a changed folder is not noticed, and only the types are checked.
    beside : sequence of str, optional
        Files in the folder that are not the model's: the manifest of an exported one, which holds the hash.

    Raises
    ------
    NotFoundError
        If there is no model.
    ContractError
        If the hash differs, a type is not on the allow-list (the message names it), or the files cannot be
        read.
    """
    import skops.io

    contents = checked_contents(folder, expected_sha256, beside=beside)
    record = _record(contents[_RECORD], folder)
    archive = joined_archive(contents[_ESTIMATOR], contents, folder)
    _refuse_foreign_types(archive, folder)
    estimator = skops.io.loads(archive, trusted=list(TRUSTED_TYPES))
    card = contents[_CARD].decode() if _CARD in contents else None
    return LoadedModel(estimator, record["metadata"], record["libraries"], folder_sha256(contents), card)


def checked_contents(
    folder: Path, expected_sha256: str | None = None, *, beside: Sequence[str] = ()
) -> dict[str, bytes]:
    """Return the files of a model's folder, by name, after their hash was compared.

    What is hashed is what is returned: every file is read once.

    Raises
    ------
    NotFoundError
        If there is no model.
    ContractError
        If the hash differs.
    """
    if not (folder / _ESTIMATOR).is_file() or not (folder / _RECORD).is_file():
        raise NotFoundError("there is no model here", where=str(folder), hint="radzoo models list")
    contents = {name: content for name, content in _contents(folder).items() if name not in beside}
    sha256 = folder_sha256(contents)
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise ContractError(
            f"the model's files changed after they were saved: sha256 {sha256}, expected {expected_sha256}",
            where=str(folder),
            hint="train the model again, or restore the folder from a backup",
        )
    return contents


def _estimator_files(estimator: BaseEstimator, folder: Path) -> tuple[bytes, dict[str, bytes]]:
    """Return the estimator's archive, and its networks' weights by the names of their files."""
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        dumped = skops.io.dumps(estimator)
    except UnsupportedTypeException as error:
        raise ContractError(f"the estimator cannot be stored: {error}", where=str(folder)) from error
    _refuse_foreign_types(dumped, folder)
    return canonical_archive(dumped)


def _refuse_foreign_types(content: bytes, folder: Path) -> None:
    import skops.io

    where = str(folder / _ESTIMATOR)
    try:
        foreign = sorted(set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED_TYPES))
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ContractError(f"the file is not a skops archive: {error}", where=where) from error
    if foreign:
        raise ContractError(
            f"the estimator holds types that are not on the allow-list: {', '.join(foreign)}",
            where=where,
            hint="use only models that this project saved; types of a new member go to TRUSTED_TYPES",
        )


def _record_bytes(metadata: Mapping[str, JsonValue], folder: Path, libraries: Sequence[str]) -> bytes:
    record = {
        "format": _FORMAT,
        "libraries": {library: version(library) for library in libraries},
        "metadata": dict(metadata),
    }
    try:
        text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ContractError(f"the metadata are not JSON: {error}", where=str(folder / _RECORD)) from error
    return f"{text}\n".encode()


def _record(content: bytes, folder: Path) -> dict[str, Any]:
    where = str(folder / _RECORD)
    try:
        record = json.loads(content)
    except ValueError as error:
        raise ContractError(f"the file is not JSON: {error}", where=where) from error
    if not isinstance(record, dict) or record.get("format") not in _READABLE:
        raise ContractError(f"this release reads the model formats {_READABLE[0]} to {_FORMAT} only", where=where)
    return record


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def folder_sha256(contents: Mapping[str, bytes]) -> str:
    """Return the hash of a folder's files: names and contents, the card's too."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        # Lengths keep a byte from moving unnoticed between a name, a file and its neighbour.
        for part in (name.encode(), contents[name]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()
