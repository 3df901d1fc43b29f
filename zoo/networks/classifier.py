"""A network as an estimator of the zoo: regions of every phase in, probabilities out.

PyTorch is imported where a network is fitted or asked, not before: the registry builds these estimators without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from schemas.documents.model_summary import ModelSummary
from schemas.errors import ContractError
from schemas.study.networks import NetworkSettings
from zoo.networks.region_columns import region_column, region_images
from zoo.weighting.sums import class_sizes, parts, patient_weights

if TYPE_CHECKING:
    from zoo.networks.architecture import PhaseNetwork

__all__ = ["NetworkClassifier"]

Floats = NDArray[np.float32]


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """A residual network on the regions of all phases.

    Everything is fitted on the patients that ``fit`` is given: a part of them, stratified by label, only tells when
    to stop. Regions are scaled phase by phase with mean and standard deviation of the patients that move the
    weights.

    Parameters
    ----------
    architecture : str, default="resnet10"
        Of the trunk: ``resnet10``, ``resnet18`` or ``resnet34`` (`zoo.networks.architecture.ResidualTrunk`), or the
        name of a network that another package adds.
    settings : NetworkSettings, optional
        How the network is trained; the paper's way where it is left out.
    random_state : int, default=0
        Draws the inner validation patients, the first weights, the order of patients and their transforms.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels.
    feature_names_in_ : ndarray of str
        The columns that are read.
    phases_ : list of str
        The phases, in the columns' order.
    n_slices_, size_ : int
        Of a region.
    mean_, scale_ : ndarray of shape (n_phases,)
        What regions are scaled with.
    weights_ : bytes
        The network, as a safetensors file. A saved model keeps it in a file of its own.
    n_weights_ : int
        How many numbers of it are trained.
    best_epoch_ : int
        The epoch whose weights these are.
    history_ : dict of str to ndarray of shape (n_epochs,)
        ``loss``, ``validation_loss``, ``validation_auc``.
    n_fitted_, n_inner_validation_ : int
        Patients that moved the weights, and patients that told when to stop.
    held_out_rows_, held_out_probabilities_ : ndarray of shape (n_inner_validation_,)
        Where the latter stood in the table, and their probabilities of label 1: scores of patients who did not move
        the weights, from which a threshold can be taken. They told when to stop, so they flatter a little.
    prior_log_odds_ : float
        What is added to the log odds of a network whose loss weighed both labels alike, so that probabilities are
        those of patients among whom label 1 is as frequent as in training; 0 without class weights. For the network
        itself both labels were equally frequent.

    Examples
    --------
    >>> NetworkClassifier("resnet18", NetworkSettings(epochs=50, optimiser="adam")).settings.epochs
    50
    """

    def __init__(
        self,
        architecture: str = "resnet10",
        settings: NetworkSettings | None = None,
        random_state: int = 0,
    ) -> None:
        self.architecture = architecture
        self.settings = settings
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        # As plain values, which a saved model may hold; they are checked again when it is loaded.
        if state.get("settings") is not None:
            state["settings"] = self._settings.model_dump(mode="json")
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("settings") is not None:
            state = state | {"settings": NetworkSettings.model_validate(state["settings"])}
        super().__setstate__(state)

    @property
    def _settings(self) -> NetworkSettings:
        return NetworkSettings() if self.settings is None else self.settings

    def fit(self, X: pl.DataFrame, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Return self, with the network trained.

        Parameters
        ----------
        X : polars.DataFrame
            A column ``PHASE__region`` for each phase (`zoo.networks.region_columns.region_images`).
        y : array-like of shape (n_patients,)
            0 or 1.
        sample_weight : array-like of shape (n_patients,), optional
            How much each patient counts: in the loss, in the labels' weights, and in the loss that tells when to stop.

        Raises
        ------
        ContractError
            If the table has no regions or others than numbers, or y has not two labels with patients enough.
        """
        from zoo.networks.data import NetworkData, inner_validation
        from zoo.networks.training import train_network

        phases, images = region_images(X)
        labels = _labels(y, len(images))
        weights = patient_weights(sample_weight, len(images))
        aside = inner_validation(labels, self._settings.validation_fraction, self.random_state)
        fitted = np.setdiff1d(np.arange(len(labels)), aside)
        self.classes_ = np.array([0, 1])
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = len(X.columns)
        self.phases_ = list(phases)
        self.n_slices_, self.size_ = int(images.shape[2]), int(images.shape[3])
        self.n_fitted_, self.n_inner_validation_ = len(fitted), len(aside)
        # In double precision: sums of millions of pixels lose digits in single.
        self.mean_ = images[fitted].mean(axis=(0, 2, 3, 4), dtype=np.float64)
        deviation = images[fitted].std(axis=(0, 2, 3, 4), dtype=np.float64)
        self.scale_ = np.where(deviation > 0, deviation, 1.0)
        self._fit_tabular(X[fitted.tolist()], labels[fitted], parts(weights, fitted))
        data = NetworkData(self._scaled(images), labels, self._tabular(X), weights)
        trained = train_network(
            data.at(fitted),
            data.at(aside) if len(aside) else None,
            self.architecture,
            self._settings,
            self.random_state,
        )
        self.weights_ = trained.weights
        self.best_epoch_ = trained.best_epoch
        self.history_ = trained.history
        self.n_weights_ = sum(weights.numel() for weights in self.network().parameters())
        others, events = class_sizes(labels[fitted], parts(weights, fitted))
        weighted = self._settings.class_weights
        self.prior_log_odds_ = float(np.log(events / others)) if weighted else 0.0
        self.held_out_rows_ = aside
        self.held_out_probabilities_ = (
            self.predict_proba(X[aside.tolist()])[:, 1] if len(aside) else np.empty(0, dtype=np.float64)
        )
        return self

    def summary(self, labels: ArrayLike | None = None) -> ModelSummary:
        """Return under ``network`` which one it is, how it was trained, and on how many patients."""
        return {
            "network": {
                "architecture": self.architecture,
                "trained_weights": self.n_weights_,
                "epochs": len(self.history_["loss"]),
                "best_epoch": self.best_epoch_,
                "patients_fitted": self.n_fitted_,
                "patients_for_early_stopping": self.n_inner_validation_,
                "settings": self._settings.model_dump(mode="json"),
            }
        }

    def unweighted(self) -> tuple[Any, ...]:
        """Return that images are scaled with all patients alike."""
        return ("the scale of the images",)

    def region_network(self) -> NetworkClassifier:
        """Return the network that reads regions: itself."""
        return self

    def network(self) -> PhaseNetwork:
        """Return the fitted network, on the CPU and in evaluation mode; it reads `scaled_images`."""
        from zoo.networks.architecture import PhaseNetwork
        from zoo.networks.runtime import restored

        check_is_fitted(self)
        shape = (self.architecture, len(self.phases_), self.n_slices_, self._settings.fusion, self._n_tabular())
        return restored(lambda: PhaseNetwork(*shape), self.weights_)

    def scaled_images(self, X: pl.DataFrame) -> Floats:
        """Return patients' regions as the network reads them.

        Returns
        -------
        ndarray of shape (n_patients, n_phases, n_slices, size, size)
            The phases in the order of ``phases_``, whatever the order of the columns.

        Raises
        ------
        ContractError
            If a phase is missing, or regions have another size or number of slices than in training.
        """
        check_is_fitted(self)
        names = [region_column(phase) for phase in self.phases_]
        if missing := [name for name in names if name not in X.columns]:
            raise ContractError(f"the network was trained on '{missing[0]}', which the table lacks")
        _, images = region_images(X.select(names))
        trained, given = (self.n_slices_, self.size_, self.size_), images.shape[2:]
        if trained != given:
            raise ContractError(f"the network was trained on regions of {_by(trained)}, these are of {_by(given)}")
        return self._scaled(images)

    def decision_function(self, X: pl.DataFrame) -> NDArray[np.float64]:
        """Return the log odds of label 1, of shape (n_patients,)."""
        from zoo.networks.runtime import scores_of

        images = self.scaled_images(X)
        scores = scores_of(self.network(), images, self._settings, self._tabular(X))
        return np.asarray(scores[:, 1] - scores[:, 0] + self.prior_log_odds_, dtype=np.float64)

    def predict_proba(self, X: pl.DataFrame) -> NDArray[np.float64]:
        """Return the probabilities of both labels, of shape (n_patients, 2)."""
        probability = expit(self.decision_function(X))
        return np.column_stack([1 - probability, probability])

    def predict(self, X: pl.DataFrame) -> NDArray[Any]:
        """Return each patient's more probable label."""
        labels: NDArray[Any] = self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]
        return labels

    def embed(self, X: pl.DataFrame) -> Floats:
        """Return the trunk's features of each patient and phase.

        Returns
        -------
        ndarray of shape (n_patients, n_phases, n_features)
            128 features for ``resnet10``, else 512. With early fusion the phases have one embedding together:
            (n_patients, 1, n_features). An embedding of a patient on whom the network was trained carries that
            patient's label.
        """
        from zoo.networks.runtime import embeddings_of

        return embeddings_of(self.network(), self.scaled_images(X), self._settings)

    def _scaled(self, images: Floats) -> Floats:
        mean, scale = (values[:, None, None, None].astype(np.float32) for values in (self.mean_, self.scale_))
        return np.asarray((images - mean) / scale, dtype=np.float32)

    # What a network reads beside the regions; here nothing.

    def _fit_tabular(self, X: pl.DataFrame, labels: NDArray[np.int64], weights: NDArray[np.float64] | None) -> None:
        """Fit what makes the tabular inputs, on the patients that move the weights."""

    def _tabular(self, X: pl.DataFrame) -> Floats | None:
        """Return the tabular inputs of some patients."""
        return None

    def _n_tabular(self) -> int:
        return 0


def _labels(y: ArrayLike, patients: int) -> NDArray[np.int64]:
    labels = np.asarray(y)
    if labels.shape != (patients,):
        raise ContractError(f"{patients} patients have labels of shape {labels.shape}")
    if set(np.unique(labels)) != {0, 1}:
        raise ContractError(f"a network tells label 0 from label 1; it was given {sorted(set(labels.tolist()))}")
    return labels.astype(np.int64)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
